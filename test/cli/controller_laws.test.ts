import {
  array,
  assert,
  boolean,
  constantFrom,
  dictionary,
  nat,
  property,
  record,
  subarray,
  type Arbitrary,
} from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FromRunner, ToRunner } from '../../src/core/protocol.ts'
import { advance } from '../../src/cli/controller.ts'
import { firstState, type RunInput, type RunState } from '../../src/cli/run_state.ts'
import {
  helloOf,
  type PairRun,
  runPair,
  type Script,
  settingsOf,
  summaryOf,
} from './support/scripted_pair.ts'

const PLAYS = [1, 2, 3, 4]

const orders = array(nat({ max: 1 }), { minLength: 400, maxLength: 400 })
const scripts: Arbitrary<Script> = record(
  {
    pending: subarray(PLAYS),
    failsIn: constantFrom(...PLAYS),
    breaksIn: constantFrom(...PLAYS),
    wants: dictionary(constantFrom('1', '2', '3', '4'), constantFrom('ca', 'k3s-token'), {
      maxKeys: 2,
    }),
  },
  { requiredKeys: ['pending'] },
)
const healthy = scripts.map(({ pending, wants }) => ({ pending, wants }) as Script)
const settings = array(boolean(), { minLength: 4, maxLength: 4 }).map((rolling) =>
  settingsOf({
    plays: PLAYS.map((id) => ({ id, name: `play ${id}`, rolling: rolling[id - 1] === true })),
  }),
)

function position(run: PairRun, line: string): number {
  return run.log.indexOf(line)
}

function sent(run: PairRun, host: string, type: ToRunner['type']): readonly ToRunner[] {
  return run.runners[host]?.received.filter((message) => message.type === type) ?? []
}

describe('two runners in any order', () => {
  test('every run ends, whoever speaks first, fails or vanishes', () => {
    assert(
      property(settings, scripts, scripts, orders, (s, h1, h2, order) => {
        const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
        expect({ stuck: run.stuck, log: run.log }).toMatchObject({ stuck: false })
      }),
    )
  })

  test('a host begins a play behind a barrier only when its peer has ended the play before', () => {
    assert(
      property(settings, healthy, healthy, orders, (s, h1, h2, order) => {
        const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
        const first = sent(run, 'h1', 'apply').flatMap((m) =>
          m.type === 'apply' ? m.firstBarrier : [],
        )
        for (const play of PLAYS.filter((id) => id > 1 && id >= (first[0] ?? 99)))
          for (const [host, peer] of [
            ['h1', 'h2'],
            ['h2', 'h1'],
          ] as const)
            expect(position(run, `${host} begins ${play}`)).toBeGreaterThan(
              position(run, `${peer} ends ${play - 1}`),
            )
        expect(run.exitCode).toBe(0)
      }),
    )
  })

  test('a rolling play with something to change runs on the follower first, and only then on the leader', () => {
    assert(
      property(settings, healthy, healthy, orders, (s, h1, h2, order) => {
        const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
        const pending = [...(h1.pending ?? []), ...(h2.pending ?? [])]
        const lowest = Math.min(...pending)
        for (const { id } of s.plays.filter(({ rolling, id: play }) => rolling && play >= lowest))
          expect(position(run, `h1 begins ${id}`)).toBeGreaterThan(position(run, `h2 ends ${id}`))
      }),
    )
  })

  test('when one host fails, its peer begins no play behind that barrier', () => {
    assert(
      property(healthy, orders, constantFrom(...PLAYS), (h1, order, failsIn) => {
        const s = settingsOf()
        const h2 = { pending: PLAYS, failsIn }
        const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
        expect(run.log.some((line) => line === `h1 begins ${failsIn + 1}`)).toBe(false)
        expect(run.exitCode).toBe(3)
      }),
    )
  })

  test('with nothing pending on either host no play is run and nobody is asked to apply', () => {
    const run = runPair(settingsOf(), { h1: {}, h2: {} }, (turn) => turn)
    expect(run.log).toEqual([])
    expect(sent(run, 'h1', 'apply')).toEqual([])
    expect(run.exitCode).toBe(0)
  })

  test('a host hears at its next barrier, and only once, that its peer changed something', () => {
    const run = runPair(settingsOf(), { h1: {}, h2: { pending: [1] } }, (turn) => turn)
    expect(sent(run, 'h1', 'proceed')).toEqual([
      { type: 'proceed', play: 2, peerChanged: true },
      { type: 'proceed', play: 3, peerChanged: false },
      { type: 'proceed', play: 4, peerChanged: false },
    ])
    expect(sent(run, 'h2', 'proceed')).toContainEqual({
      type: 'proceed',
      play: 2,
      peerChanged: false,
    })
  })
})

const from = (host: string, message: FromRunner): RunInput => ({ kind: 'message', host, message })

/** Both are applying; h1 was told to make the CA, and h2 waits for it. */
function wantingBoth(): RunState {
  const hosts = ['h1', 'h2']
  const inputs: readonly RunInput[] = [
    ...hosts.map((host) => ({ kind: 'connected', host }) as const),
    ...hosts.map((host) => from(host, helloOf(host))),
    ...hosts.map((host) => from(host, { type: 'observed', pending: [1], events: [] })),
    ...hosts.map((host) => from(host, { type: 'need-site-secret', name: 'ca' })),
  ]
  return inputs.reduce((state, input) => advance(state, input).state, firstState(settingsOf()))
}

describe("the site's secrets", () => {
  test('both hosts end with one and the same, made by the first when neither has it', () => {
    assert(
      property(
        settings,
        orders,
        constantFrom(...PLAYS),
        constantFrom(...PLAYS),
        (s, order, a, b) => {
          const h1: Script = { pending: [1], wants: { [a]: 'ca' } }
          const h2: Script = { pending: [1], wants: { [b]: 'ca' } }
          const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
          expect({ stuck: run.stuck, log: run.log }).toMatchObject({ stuck: false })
          expect(run.runners['h1']?.held.ca).toBe(run.runners['h2']?.held.ca)
          expect(run.log.filter((line) => line.endsWith('makes ca'))).toHaveLength(1)
        },
      ),
    )
  })

  test('a host that lacks it gets that of its peer, which is never made anew', () => {
    const held = { siteSecrets: { ca: 'aa', 'k3s-token': null } }
    assert(
      property(orders, boolean(), (order, firstHasIt) => {
        const h1: Script = {
          pending: [1],
          ...(firstHasIt ? { hello: held } : { wants: { 1: 'ca' } }),
        }
        const h2: Script = {
          pending: [1],
          ...(firstHasIt ? { wants: { 1: 'ca' } } : { hello: held }),
        }
        const run = runPair(settingsOf(), { h1, h2 }, (turn) => order[turn] ?? 0)
        expect(run.log.filter((line) => line.includes('makes'))).toEqual([])
        expect(run.runners['h1']?.held.ca).toBe(run.runners['h2']?.held.ca)
      }),
    )
  })

  test('a host gets it from a peer that has nothing else to do and ends at once', () => {
    assert(
      property(orders, (order) => {
        const held = { siteSecrets: { ca: 'aa', 'k3s-token': null } }
        const one = settingsOf({ plays: [{ id: 1, name: 'the only one', rolling: false }] })
        const scripts = { h1: { hello: held }, h2: { pending: [1], wants: { 1: 'ca' } } } as const
        const run = runPair(one, scripts, (turn) => order[turn] ?? 0)
        expect(run.runners['h2']?.held.ca).toBe('ca of h1')
      }),
    )
  })

  test('the second host alone must not make one: its peer may have another', () => {
    const run = runPair(
      settingsOf({ participants: ['h2'] }),
      { h2: { pending: [1], wants: { 1: 'ca' } } },
      () => 0,
    )
    expect(run.log).toContain('h2 is refused ca')
  })

  test('nor must the first alone', () => {
    const run = runPair(
      settingsOf({ participants: ['h1'] }),
      { h1: { pending: [1], wants: { 1: 'ca' } } },
      () => 0,
    )
    expect(run.log).toContain('h1 is refused ca')
  })

  test('a host that vanished may have made one, asked to or not: its peer makes no other', () => {
    assert(
      property(orders, constantFrom(...PLAYS), (order, breaksIn) => {
        const h1: Script = { pending: [1], wants: { 1: 'ca' }, breaksIn }
        const h2: Script = { pending: [1], wants: { [breaksIn]: 'ca' } }
        const run = runPair(settingsOf(), { h1, h2 }, (turn) => order[turn] ?? 0)
        expect({ stuck: run.stuck, log: run.log }).toMatchObject({ stuck: false })
        expect(run.log.filter((line) => line.endsWith('makes ca')).length).toBeLessThan(2)
        // Nobody has seen one: neither of the two may be told to make it.
        expect(breaksIn === 1 && run.log.includes('h2 makes ca')).toBe(false)
      }),
    )
  })

  test.each([
    ['vanishes', { kind: 'ended', host: 'h1', trouble: undefined }],
    ['fails', { kind: 'message', host: 'h1', message: summaryOf('h1', 3) }],
  ] as const)('a host that %s while it makes one leaves its peer with none', (_, end) => {
    const state = wantingBoth()
    const { commands } = advance(state, end)
    expect(commands).toContainEqual({
      kind: 'send',
      host: 'h2',
      message: expect.objectContaining({ type: 'site-secret', name: 'ca', action: 'refuse' }),
    })
  })

  test('the holder that vanished is not replaced by a new secret', () => {
    const h1: Script = {
      pending: [1],
      breaksIn: 1,
      hello: { siteSecrets: { ca: 'aa', 'k3s-token': null } },
    }
    const h2: Script = { pending: [1], wants: { 1: 'ca' } }
    const run = runPair(settingsOf(), { h1, h2 }, () => 0)
    expect(run.log.filter((line) => line.includes('makes'))).toEqual([])
    expect(run.exitCode).toBe(4)
  })

  test('no event carries a value', () => {
    const script: Script = { pending: [1], wants: { 1: 'k3s-token' } }
    const run = runPair(settingsOf(), { h1: script, h2: script }, (turn) => turn)
    expect(JSON.stringify(run.events)).not.toContain('k3s-token of')
  })
})
