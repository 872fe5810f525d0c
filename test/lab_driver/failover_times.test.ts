import { expect, it } from 'vitest'
import { failoverTimes } from '../../lab/failover_times.ts'
import type { Decision } from '../../lab/pair_view.ts'
import { decisionMoment, timelineText, writerMoments } from '../../lab/timeline.ts'
import type { WriterRecord } from '../../lab/writer_log.ts'

const noted = (host: 'h1' | 'h2', at: number, record: object): Decision => ({
  host,
  at,
  record: record as Decision['record'],
})

const decisions = [
  noted('h1', 900, { kind: 'decision', goal: 'promote', rule: 'old' }),
  noted('h2', 1_500, { kind: 'decision', goal: 'stay', rule: 'silent', why: 'not for long yet' }),
  noted('h2', 4_600, { kind: 'decision', goal: 'promote', rule: 'peer-gone', why: 'it is gone' }),
  noted('h2', 4_610, { kind: 'meta', leader: 'h2', mode: 'alone', term: 3, branch: 3 }),
  noted('h2', 4_850, { kind: 'converge', tags: ['role'], outcome: 'done', ms: 230, message: null }),
]
const log: WriterRecord[] = [
  { at: 980, kind: 'ack', n: 1, rv: 10 },
  { at: 2_500, kind: 'unknown', n: 2, why: 'no answer within 1500 ms' },
  { at: 5_700, kind: 'ack', n: 3, rv: 11 },
]

it('a failover is measured from the power cut, by the survivor alone', () => {
  expect(failoverTimes({ offAt: 1_000, survivor: 'h2', decisions, log })).toEqual({
    detection: 3_600,
    promotion: 230,
    promoted: 3_850,
    firstWrite: 4_700,
    gap: 4_720,
  })
})

it('what did not happen was not seen', () => {
  const none = { detection: undefined, promotion: undefined, promoted: undefined }
  const seen = failoverTimes({ offAt: 1_000, survivor: 'h2', decisions: [], log: log.slice(0, 2) })
  expect(seen).toEqual({ ...none, firstWrite: undefined, gap: undefined })
})

it('a timeline tells what both hosts and the writer saw in one order', () => {
  const moments = [...decisions.map(decisionMoment), ...writerMoments('writer', log)]
  expect(timelineText(moments).split('\n').slice(1)).toEqual([
    '    0.080  writer  first acknowledged write',
    '    0.600  h2      silent → stay: not for long yet',
    '    1.600  writer  write 2: no answer within 1500 ms',
    '    3.700  h2      peer-gone → promote: it is gone',
    '    3.710  h2      hostMeta: h2 leads, alone, term 3, branch 3',
    '    3.950  h2      converge role: done in 230 ms',
    '    4.800  writer  acknowledged again after 4720 ms',
    '    4.800  writer  last acknowledged write',
  ])
})

it('who is refused ten times a second is told of once, until a write is acknowledged again', () => {
  const refused = { kind: 'watch-ended', why: 'refused' } as const
  const told = writerMoments('writer', [
    { at: 0, kind: 'ack', n: 1, rv: 1 },
    { at: 1, ...refused },
    { at: 2, ...refused },
    { at: 3, kind: 'ack', n: 2, rv: 2 },
    { at: 4, ...refused },
  ])
  const times = told.filter(({ what }) => what === 'watch ended: refused').map(({ at }) => at)
  expect(times).toEqual([1, 4])
})
