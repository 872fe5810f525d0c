import { describe, expect, test } from 'vitest'
import { advance } from '../../src/cli/controller.ts'
import { firstState, type RunCommand, type RunInput } from '../../src/cli/run_state.ts'
import { hostMetaText } from './support/host_meta_text.ts'
import { helloOf, settingsOf, summaryOf } from './support/scripted_pair.ts'

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
const aloneText = (leader: string, term: number) =>
  hostMetaText({ leader, term, branch: term, mode: 'alone', slot: null })
const own = (ca: string) => ({ siteSecrets: { ca, 'k3s-token': null } })
const observed = (host: string, exitCode: 0 | 10): RunInput => ({
  kind: 'message',
  host,
  message: {
    type: 'observed',
    pending: exitCode === 0 ? [] : [1],
    events: [summaryOf(host, exitCode)],
  },
})
const over = (host: string): RunInput => ({ kind: 'message', host, message: summaryOf(host, 130) })
const toHost = (commands: readonly RunCommand[], host: string) =>
  commands.flatMap((c) => (c.kind === 'send' && c.host === host ? [c.message.type] : []))

/** What a converge of these two is refused with, message and hint. */
function refused(h1: string, h2: string | null, more: Parameters<typeof settingsOf>[0] = {}) {
  const hellos = [hello('h1', { hostMeta: h1 }), hello('h2', { hostMeta: h2 })]
  const { commands, finish } = play([...BOTH_UP, ...hellos], { usesRoles: true, ...more })
  const said = commands.flatMap((c) =>
    c.kind === 'emit' && c.event.event === 'trouble' ? [c.event.trouble] : [],
  )
  expect(finish).toBe(said.length === 0 ? undefined : 5)
  return said.map(({ message, hint }) => `${message}. ${hint}`).join('\n')
}

describe('before the first play', () => {
  test('a host alone that has no hostMeta does not take the lead on the word of the inventory', () => {
    const inputs = [connected('h1'), hello('h1')]
    const alone = { participants: ['h1'], usesRoles: true }
    const { commands, finish } = play(inputs, alone)
    expect(finish).toBe(5)
    expect(toHost(commands, 'h1')).toEqual([])
    expect(commands).toContainEqual({
      kind: 'emit',
      event: expect.objectContaining({ trouble: expect.objectContaining({ code: 'E_ROLES' }) }),
    })
    for (const more of [{ check: true }, { lookOnly: true }, { usesRoles: false }])
      expect(toHost(play(inputs, { ...alone, ...more }).commands, 'h1')).toEqual(['go'])
    const known = [connected('h1'), hello('h1', { hostMeta: aloneText('h2', 2) })]
    expect(toHost(play(known, alone).commands, 'h1')).toEqual(['go'])
  })

  test('a machine in the place of a host of the pair is taken in by `replace` and not by a converge (B10)', () => {
    const pair = aloneText('h1', 3)
    expect(refused(pair, null)).toContain('twonode replace --host h2 --for h2')
    const other = pair.replaceAll('"h2"', '"h3"')
    expect(refused(other, null)).toContain('the pair is h1 and h3')
    expect(refused(other, null)).toContain('twonode replace --host h2 --for h3')
    expect(refused(other, pair)).toContain('twonode replace --host h2 --for h3')
    for (const more of [{ replaces: 'h3' }, { usesRoles: false }, { lookOnly: true }])
      expect(refused(other, null, more)).toBe('')
    expect(refused(aloneText('h1', 1), null), 'a first converge that was cut').toBe('')
  })

  test('roles are told only when both hosts have said hello', () => {
    const half = play([...BOTH_UP, hello('h1')])
    expect(toHost(half.commands, 'h1')).toEqual([])
    const both = play([...BOTH_UP, hello('h1'), hello('h2')])
    expect(toHost(both.commands, 'h1')).toEqual(['go'])
    expect(both.state.pair).toEqual({
      leader: 'h1',
      term: 1,
      branch: 1,
      mode: 'alone',
      slot: 'h2_1_1',
      began: 'first',
      fork: null,
    })
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
    const { commands, finish } = play([...BOTH_UP, hello('h1', own('aa')), hello('h2', own('bb'))])
    expect(finish).toBe(5)
    expect(toHost(commands, 'h1')).toEqual([])
  })

  test('hosts that disagree about who leads are exit 5; a command that only looks says so and goes on', () => {
    const inputs = [
      ...BOTH_UP,
      hello('h1', { hostMeta: aloneText('h1', 2) }),
      hello('h2', { hostMeta: aloneText('h2', 5) }),
    ]
    const refused = play(inputs)
    expect(refused.finish).toBe(5)
    expect(toHost(refused.commands, 'h1')).toEqual([])
    const looked = play(inputs, { lookOnly: true, check: true })
    expect(looked.state.pair?.leader).toBe('h2')
    const warned = looked.commands.flatMap((c) =>
      c.kind === 'emit' && c.event.event === 'note' && c.event.level === 'warning'
        ? [c.event.message]
        : [],
    )
    expect(warned).toContainEqual(expect.stringContaining('disagree about who leads'))
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
    expect(play([...running, { kind: 'interrupt' }, over('h1'), over('h2')]).finish).toBe(130)
  })
})
