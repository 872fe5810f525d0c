import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { advance } from '../../src/cli/controller.ts'
import { firstState, type RunCommand, type RunInput } from '../../src/cli/run_state.ts'
import type { ToRunner } from '../../src/core/protocol.ts'
import {
  helloOf,
  type PairRun,
  runPair,
  type Script,
  settingsOf,
  summaryOf,
} from './support/scripted_pair.ts'

const PLAYS = [1, 2, 3, 4]

const orders = fc.array(fc.nat({ max: 1 }), { minLength: 400, maxLength: 400 })
const scripts: fc.Arbitrary<Script> = fc.record(
  {
    pending: fc.subarray(PLAYS),
    failsIn: fc.constantFrom(...PLAYS),
    breaksIn: fc.constantFrom(...PLAYS),
    wants: fc.dictionary(fc.constantFrom('1', '2', '3', '4'), fc.constantFrom('ca', 'k3s-token'), {
      maxKeys: 2,
    }),
  },
  { requiredKeys: ['pending'] },
)
const healthy = scripts.map(({ pending, wants }) => ({ pending, wants }) as Script)
const settings = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }).map((rolling) =>
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
    fc.assert(
      fc.property(settings, scripts, scripts, orders, (s, h1, h2, order) => {
        const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
        expect(run.stuck, run.log.join('\n')).toBe(false)
      }),
    )
  })

  test('a host begins a play behind a barrier only when its peer has ended the play before', () => {
    fc.assert(
      fc.property(settings, healthy, healthy, orders, (s, h1, h2, order) => {
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
    fc.assert(
      fc.property(settings, healthy, healthy, orders, (s, h1, h2, order) => {
        const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
        const pending = [...(h1.pending ?? []), ...(h2.pending ?? [])]
        const lowest = Math.min(...pending)
        for (const { id } of s.plays.filter(({ rolling, id: play }) => rolling && play >= lowest))
          expect(position(run, `h1 begins ${id}`), run.log.join('\n')).toBeGreaterThan(
            position(run, `h2 ends ${id}`),
          )
      }),
    )
  })

  test('when one host fails, its peer begins no play behind that barrier', () => {
    fc.assert(
      fc.property(healthy, orders, fc.constantFrom(...PLAYS), (h1, order, failsIn) => {
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

describe("the site's secrets", () => {
  test('both hosts end with one and the same, made by the first when neither has it', () => {
    fc.assert(
      fc.property(
        settings,
        orders,
        fc.constantFrom(...PLAYS),
        fc.constantFrom(...PLAYS),
        (s, order, a, b) => {
          const h1: Script = { pending: [1], wants: { [a]: 'ca' } }
          const h2: Script = { pending: [1], wants: { [b]: 'ca' } }
          const run = runPair(s, { h1, h2 }, (turn) => order[turn] ?? 0)
          expect(run.stuck, run.log.join('\n')).toBe(false)
          expect(run.runners['h1']?.held.ca).toBe(run.runners['h2']?.held.ca)
          expect(run.log.filter((line) => line.endsWith('makes ca'))).toHaveLength(1)
          if (a === b && s.plays.every(({ rolling }) => !rolling))
            expect(run.log).toContain('h1 makes ca')
        },
      ),
    )
  })

  test('a host that lacks it gets that of its peer, which is never made anew', () => {
    const held = { siteSecrets: { ca: 'aa', 'k3s-token': null } }
    fc.assert(
      fc.property(orders, fc.boolean(), (order, firstHasIt) => {
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

  test('the second host alone must not make one: its peer may have another', () => {
    const run = runPair(
      settingsOf({ participants: ['h2'] }),
      { h2: { pending: [1], wants: { 1: 'ca' } } },
      () => 0,
    )
    expect(run.log).toContain('h2 is refused ca')
  })

  test('the first host alone may', () => {
    const run = runPair(
      settingsOf({ participants: ['h1'] }),
      { h1: { pending: [1], wants: { 1: 'ca' } } },
      () => 0,
    )
    expect(run.log).toContain('h1 makes ca')
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

/** Inputs one by one, for what happens before and around the plays. */
function play(inputs: readonly RunInput[], more: Parameters<typeof settingsOf>[0] = {}) {
  let state = firstState(settingsOf(more))
  const commands: RunCommand[] = []
  for (const input of inputs) {
    const turn = advance(state, input)
    state = turn.state
    commands.push(...turn.commands)
  }
  return { state, commands, finish: commands.find((c) => c.kind === 'finish')?.exitCode }
}

const connected = (host: string): RunInput => ({ kind: 'connected', host })
const hello = (host: string, more: Parameters<typeof helloOf>[1] = {}): RunInput => ({
  kind: 'message',
  host,
  message: helloOf(host, more),
})
const unreachable = (host: string): RunInput => ({
  kind: 'ended',
  host,
  trouble: { code: 'E_UNREACHABLE', exitCode: 4, message: 'no route', hint: '' },
})
const BOTH_UP = [connected('h1'), connected('h2')]
const toHost = (commands: readonly RunCommand[], host: string) =>
  commands.flatMap((c) => (c.kind === 'send' && c.host === host ? [c.message.type] : []))

describe('before the first play', () => {
  test('roles are told only when both hosts have said hello', () => {
    const half = play([...BOTH_UP, hello('h1')])
    expect(toHost(half.commands, 'h1')).toEqual([])
    const both = play([...BOTH_UP, hello('h1'), hello('h2')])
    expect(toHost(both.commands, 'h1')).toEqual(['go'])
    expect(both.state.pair).toEqual({ leader: 'h1', term: 1, branch: 1, mode: 'alone', slot: null })
  })

  test('one host that is not reached ends the run with 4, and the other is told nothing', () => {
    const { commands, finish } = play([connected('h1'), hello('h1'), unreachable('h2')])
    expect(finish).toBe(4)
    expect(toHost(commands, 'h1')).toEqual([])
    expect(commands).toContainEqual({ kind: 'close', host: 'h1' })
  })

  test('both that are not reached are both named', () => {
    const { commands, finish } = play([unreachable('h1'), unreachable('h2')])
    const named = commands.flatMap((c) =>
      c.kind === 'emit' && c.event.event === 'trouble' ? [c.event.host] : [],
    )
    expect(named).toEqual(['h1', 'h2'])
    expect(finish).toBe(4)
  })

  test('a command that only looks goes on with the host that is there', () => {
    const { commands, finish } = play([connected('h1'), hello('h1'), unreachable('h2')], {
      lookOnly: true,
      check: true,
    })
    expect(toHost(commands, 'h1')).toEqual(['go'])
    expect(finish).toBeUndefined()
  })

  test('two site authorities on one pair are exit 5 and nothing is begun', () => {
    const own = (ca: string) => ({ siteSecrets: { ca, 'k3s-token': null } })
    const { commands, finish } = play([...BOTH_UP, hello('h1', own('aa')), hello('h2', own('bb'))])
    expect(finish).toBe(5)
    expect(toHost(commands, 'h1')).toEqual([])
  })

  test('an older twonode than the one before is refused, unless it is allowed', () => {
    const appliedBy = { version: '1.1.0', by: 'ana@laptop', at: '2026-11-01' }
    const inputs = [...BOTH_UP, hello('h1', { appliedBy }), hello('h2')]
    expect(play(inputs).finish).toBe(5)
    expect(toHost(play(inputs, { allowDowngrade: true }).commands, 'h1')).toEqual(['go'])
  })

  test('a locked host ends the run with 75 and its peer is not begun', () => {
    const trouble = { code: 'E_LOCKED', exitCode: 75, message: 'held', hint: '' } as const
    const { commands, finish } = play([
      ...BOTH_UP,
      hello('h1'),
      { kind: 'message', host: 'h2', message: { event: 'trouble', host: 'h2', trouble } },
      { kind: 'ended', host: 'h2', trouble: undefined },
    ])
    expect(finish).toBe(75)
    expect(toHost(commands, 'h1')).toEqual([])
  })

  test('the pair is told when it is a run with one host only', () => {
    const { commands } = play([connected('h2'), hello('h2')], { participants: ['h2'] })
    const go = commands.find((c) => c.kind === 'send')
    expect(go).toMatchObject({ message: { type: 'go', solo: true } })
  })
})

describe('check mode', () => {
  test('the events that came with the observation are shown host by host, and the worst code ends it', () => {
    const observed = (host: string, exitCode: 0 | 10): RunInput => ({
      kind: 'message',
      host,
      message: {
        type: 'observed',
        pending: exitCode === 0 ? [] : [1],
        events: [summaryOf(host, exitCode)],
      },
    })
    const { commands, finish } = play(
      [...BOTH_UP, hello('h1'), hello('h2'), observed('h2', 10), observed('h1', 0)],
      { check: true },
    )
    const shown = commands.flatMap((c) =>
      c.kind === 'emit' && c.event.event === 'host-summary' ? [c.event.host] : [],
    )
    expect(shown).toEqual(['h1', 'h2'])
    expect(finish).toBe(10)
    expect(toHost(commands, 'h1')).toEqual(['go'])
  })
})

describe('Ctrl-C', () => {
  const running = [...BOTH_UP, hello('h1'), hello('h2')]

  test('the first asks every host to end after its current change', () => {
    const { commands, finish } = play([...running, { kind: 'interrupt' }])
    expect(toHost(commands, 'h1')).toEqual(['go', 'interrupt'])
    expect(toHost(commands, 'h2')).toEqual(['go', 'interrupt'])
    expect(finish).toBeUndefined()
  })

  test('the second closes the connections', () => {
    const { commands, finish } = play([...running, { kind: 'interrupt' }, { kind: 'interrupt' }])
    expect(commands).toContainEqual({ kind: 'close', host: 'h2' })
    expect(finish).toBe(130)
  })

  test('before any host is connected it ends at once, and a late connection is closed', () => {
    const { commands, finish } = play([{ kind: 'interrupt' }, connected('h1')])
    expect(finish).toBe(130)
    expect(commands.at(-1)).toEqual({ kind: 'close', host: 'h1' })
  })

  test('the run ends with 130 however its hosts ended', () => {
    const over = (host: string): RunInput => ({
      kind: 'message',
      host,
      message: {
        event: 'host-summary',
        host,
        counts: { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0 },
        exitCode: 130,
      },
    })
    expect(play([...running, { kind: 'interrupt' }, over('h1'), over('h2')]).finish).toBe(130)
  })
})
