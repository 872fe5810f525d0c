import { expect, test } from 'vitest'
import { lookedPair } from '../../src/cli/token_look.ts'
import type { StepEvent } from '../../src/core/events.ts'
import type { JsonObject } from '../../src/core/json.ts'

const FRESH = { known: false, held: false, served: false, others: 1 }

function step(task: string, result: JsonObject): StepEvent {
  return { event: 'step', host: '', task, status: 'ok', result } as unknown as StepEvent
}

/** What a look at a host of this status says. */
function said(status: JsonObject, token: JsonObject = FRESH): readonly StepEvent[] {
  return [
    step('the token', token),
    step('the agent', { code: 0, stdout: JSON.stringify({ paused: false, ...status }) }),
  ]
}

const LEADER = said({ role: 'leader' })
const FOLLOWER = said({ role: 'follower' })
const look = (steps: Readonly<Record<string, readonly StepEvent[]>>, chosen = ['h1', 'h2']) =>
  lookedPair(chosen, new Map(Object.entries(steps)))

test('who leads is who says so', () => {
  const { seen } = look({ h1: FOLLOWER, h2: LEADER })
  expect(seen.leader.name).toBe('h2')
  expect(seen.follower?.name).toBe('h1')
})

test('with the follower left out the leader is all there is', () => {
  expect(look({ h1: LEADER }, ['h1']).seen.follower).toBeUndefined()
})

test('a host that is down is named, with the way to go on without it', () => {
  expect(() => look({ h1: LEADER })).toThrow('h2 does not answer')
  expect(refusal(() => look({ h1: LEADER }))).toMatch(/--limit h1.*when it is back/)
})

test.each<[string, Readonly<Record<string, readonly StepEvent[]>>, readonly string[], string]>([
  [
    'a paused host',
    { h1: LEADER, h2: said({ role: 'follower', paused: true }) },
    ['h1', 'h2'],
    'h2 is paused by an operator',
  ],
  [
    'an agent that is silent',
    { h1: LEADER, h2: [step('the token', FRESH), step('the agent', { code: 1, stdout: '' })] },
    ['h1', 'h2'],
    'the agent of h2 does not answer',
  ],
  ['two leaders', { h1: LEADER, h2: LEADER }, ['h1', 'h2'], 'both hosts lead'],
  ['no leader', { h1: FOLLOWER, h2: FOLLOWER }, ['h1', 'h2'], 'nobody leads'],
  ['the follower alone', { h2: FOLLOWER }, ['h2'], 'h2 follows'],
  [
    'a table that can not be read',
    { h1: LEADER, h2: said({ role: 'follower' }, {}) },
    ['h1', 'h2'],
    "h2: what k3s has in the datastore can't be looked at",
  ],
])('%s is refused before anything is done', (_, steps, chosen, words) => {
  expect(() => look(steps, [...chosen])).toThrow(words)
})

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return String((error as { hint?: string }).hint)
  }
  return 'nothing was refused'
}
