import { describe, expect, it } from 'vitest'
import {
  firstAckAfter,
  gapsOver,
  judge,
  lastAck,
  longestGap,
  parseWriterLog,
  slowestEvent,
  type WriterRecord,
} from '../../lab/writer_log.ts'

const tried = (n: number, base: number, at = 0): WriterRecord => ({ at, kind: 'try', n, base })
const ack = (n: number, rv: number, at = 0): WriterRecord => ({ at, kind: 'ack', n, rv })
const unknown = (n: number, at = 0): WriterRecord => ({ at, kind: 'unknown', n, why: 'time-out' })
const read = (n: number, rv: number, at = 0): WriterRecord => ({ at, kind: 'read', n, rv })
const event = (rv: number, at: number): WriterRecord => ({ at, kind: 'event', n: rv, rv })

describe('acknowledged writes', () => {
  it('that the final object was made upon, one after the other, are kept', () => {
    const log = [read(0, 5), tried(1, 5), ack(1, 6), tried(2, 6), ack(2, 7)]
    expect(judge(log, { n: 2, rv: 7 })).toMatchObject({ lost: [], acknowledged: 2 })
  })

  it('at the end of the log that the final object does not hold are lost', () => {
    const log = [read(0, 5), tried(1, 5), ack(1, 6), tried(2, 6), ack(2, 7)]
    expect(judge(log, { n: 1, rv: 6 }).lost).toEqual([2])
  })

  it('in the middle are lost though later ones are there: the chain goes round them', () => {
    // 2 and 3 were acknowledged by a host that died; the other went on from 1.
    const log = [
      read(0, 5),
      tried(1, 5),
      ack(1, 6),
      tried(2, 6),
      ack(2, 7),
      tried(3, 7),
      ack(3, 8),
      tried(4, 8),
      { at: 0, kind: 'conflict', n: 4 } as const,
      read(1, 6),
      tried(5, 6),
      ack(5, 1_000_007),
    ]
    expect(judge(log, { n: 5, rv: 1_000_007 })).toMatchObject({ lost: [2, 3], twoWinners: [6] })
  })

  it('behind a write whose answer never came are kept if that one was done after all', () => {
    const log = [
      read(0, 5),
      tried(1, 5),
      ack(1, 6),
      tried(2, 6),
      unknown(2),
      tried(3, 6),
      { at: 0, kind: 'conflict', n: 3 } as const,
      read(2, 7),
      tried(4, 7),
      ack(4, 8),
    ]
    expect(judge(log, { n: 4, rv: 8 })).toMatchObject({ lost: [], unknown: 1, twoWinners: [] })
  })

  it('are none of those that were only tried: an unknown write may be missing (A8)', () => {
    const log = [read(0, 5), tried(1, 5), ack(1, 6), tried(2, 6), unknown(2)]
    expect(judge(log, { n: 1, rv: 6 }).lost).toEqual([])
    expect(judge(log, { n: 2, rv: 7 }).lost).toEqual([])
  })
})

describe('a gap', () => {
  const log = [ack(1, 1, 100), ack(2, 2, 120), unknown(3, 900), ack(4, 3, 5_120), ack(5, 4, 5_150)]

  it('is the longest time between two acknowledgements', () => {
    expect(longestGap(log)).toEqual({ from: 120, to: 5_120, ms: 5_000 })
  })

  it('that ended before the moment asked about does not count', () => {
    expect(longestGap(log, 5_130)).toEqual({ from: 5_120, to: 5_150, ms: 30 })
  })

  it('has an end that can be asked for', () => {
    expect(lastAck(log)).toBe(5_150)
    expect(lastAck([])).toBe(0)
    expect(firstAckAfter(log, 121)).toBe(5_120)
    expect(firstAckAfter(log, 6_000)).toBeUndefined()
  })
})

describe('a watch', () => {
  it('is as late as the latest of its events, and a new list counts for all before it', () => {
    const log = [ack(1, 1, 10), event(1, 12), ack(2, 2, 20), ack(3, 3, 30)]
    expect(slowestEvent([...log, { at: 45, kind: 'list', rv: 3 }])).toBe(25)
  })

  it('that stalled never showed what was acknowledged', () => {
    expect(slowestEvent([ack(1, 1, 10), event(1, 12), ack(2, 2, 20)])).toBe(Infinity)
  })
})

it('a line that a kill cut short is left out', () => {
  const text = '{"at":1,"kind":"ack","n":1,"rv":2}\n{"at":2,"kind":"ac'
  expect(parseWriterLog(text)).toEqual([ack(1, 2, 1)])
})

it('gaps are counted that are longer than a bound', () => {
  const log = [ack(1, 6, 0), ack(2, 7, 900), unknown(3, 1_000), ack(4, 8, 3_000), ack(5, 9, 4_500)]
  expect(gapsOver(log, 1_000).map(({ ms }) => ms)).toEqual([2_100, 1_500])
  expect(gapsOver(log, 5_000)).toEqual([])
})
