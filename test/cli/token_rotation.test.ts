import { expect, test } from 'vitest'
import {
  nextTokenStep,
  type Seen,
  type SeenHost,
  TOKEN_ROWS,
  tokenProblem,
  type TokenStep,
} from '../../src/cli/token_rotation.ts'

/** A pair: keys of the datastore in the leader's table and in the follower's, tokens of files and of servers. */
interface World {
  readonly leads: Name
  readonly keys: Readonly<Record<Name, readonly string[]>>
  readonly held: Readonly<Record<Name, string>>
  readonly served: Readonly<Record<Name, string>>
}

const HOSTS = ['h1', 'h2'] as const
type Name = (typeof HOSTS)[number]
const START: World = {
  leads: 'h1',
  keys: { h1: ['old'], h2: ['old'] },
  held: { h1: 'old', h2: 'old' },
  served: { h1: 'old', h2: 'old' },
}
const peerOf = (host: Name): Name => (host === 'h1' ? 'h2' : 'h1')

function seen(world: World, token: string, isDown: boolean): Seen {
  const look = (name: Name): SeenHost => ({
    name,
    known: world.keys[name].includes(token),
    others: world.keys[name].filter((key) => key !== token).length,
    held: world.held[name] === token,
    served: world.served[name] === token,
  })
  const { leads } = world
  return { leader: look(leads), follower: isDown ? undefined : look(peerOf(leads)) }
}

/** What a step makes of the pair; the follower's table has the leader's keys a step later. */
function after(world: World, step: TokenStep, token: string): World {
  const { leads } = world
  const streamed = { ...world, keys: { h1: world.keys[leads], h2: world.keys[leads] } }
  switch (step.do) {
    case 'know':
      return { ...world, keys: { ...world.keys, [leads]: [...world.keys[leads], token] } }
    case 'alone':
      return { ...world, keys: { ...world.keys, [leads]: [token] } }
    case 'hold':
      return { ...streamed, held: { ...world.held, [step.on]: token } }
    case 'restart':
      return { ...streamed, served: { ...world.served, [step.on]: world.held[step.on as Name] } }
    case 'hand over':
      return { ...streamed, leads: peerOf(leads) }
    case 'wait':
    case 'keep':
    case 'nothing':
      return streamed
    default:
      throw new Error(`unhandled step: ${String(step satisfies never)}`)
  }
}

/** All that a rotation goes through, until nothing is left to do. */
function through(world: World, token: string, isDown = false): readonly [TokenStep, World][] {
  const passed: [TokenStep, World][] = []
  for (let now = world; passed.length < 20;) {
    const step = nextTokenStep(seen(now, token, isDown))
    now = after(now, step, token)
    passed.push([step, now])
    if (step.do === 'nothing' || step.do === 'keep') return passed
  }
  throw new Error(`no end: ${passed.map(([step]) => JSON.stringify(step)).join(' ')}`)
}

/** Whoever starts now, or leads next, finds the key of the token that it has. */
function startsAnywhere({ keys, held }: World): boolean {
  return HOSTS.every((host) => keys[host].includes(held[host]))
}

test('the follower first, then the lead is handed over, and then the old token opens nothing', () => {
  const passed = through(START, 'new')
  expect(passed.map(([step]) => ('on' in step ? `${step.do} ${step.on}` : step.do))).toEqual([
    'know h1',
    'wait h2',
    'hold h2',
    'restart h2',
    'hold h1',
    'hand over h2',
    'restart h1',
    'alone h2',
    'nothing',
  ])
  expect(passed.at(-1)?.[1]).toEqual({
    leads: 'h2',
    keys: { h1: ['new'], h2: ['new'] },
    held: { h1: 'new', h2: 'new' },
    served: { h1: 'new', h2: 'new' },
  })
})

test('cut after any step, each server starts with what it has, and the next run ends with one token on both', () => {
  const cuts = [...through(START, 'new'), ...through(START, 'new', true)]
  for (const [step, cut] of cuts) {
    expect(startsAnywhere(cut), JSON.stringify(step)).toBe(true)
    for (const [next, world] of through(cut, 'newer'))
      expect(startsAnywhere(world), JSON.stringify([step, next])).toBe(true)
    const end = through(cut, 'newer').at(-1)?.[1]
    expect(end?.keys, JSON.stringify(step)).toEqual({ h1: ['newer'], h2: ['newer'] })
    expect(end?.held).toEqual({ h1: 'newer', h2: 'newer' })
    expect(end?.served).toEqual({ h1: 'newer', h2: 'newer' })
  }
})

test('cut after any step and followed by a change of roles it ends the same', () => {
  for (const [step, cut] of through(START, 'new').slice(1)) {
    const switched = { ...cut, leads: peerOf(cut.leads) }
    const end = through(switched, 'newer').at(-1)?.[1]
    expect(end?.keys, JSON.stringify(step)).toEqual({ h1: ['newer'], h2: ['newer'] })
  }
})

test('with the follower down the leader holds the new token and is not restarted, and the old one opens on', () => {
  const passed = through(START, 'new', true)
  expect(passed.map(([step]) => step.do)).toEqual(['know', 'hold', 'keep'])
  expect(passed.at(-1)?.[1]).toMatchObject({
    keys: { h1: ['old', 'new'] },
    held: { h1: 'new', h2: 'old' },
    served: { h1: 'old' },
  })
})

test('every row has its turn, and an id of its own', () => {
  expect(new Set(TOKEN_ROWS.map(({ id }) => id)).size).toBe(TOKEN_ROWS.length)
  const kinds = [...through(START, 'new'), ...through(START, 'new', true)]
  expect(new Set(kinds.map(([step]) => step.do)).size).toBe(8)
})

test.each([
  ['too short', 'abc'],
  ['with a space', 'abcdefgh ijklmnop'],
  ['with a user', 'server:abcdefghijklmnop'],
  ['as k3s prints its own', `K10${'a'.repeat(64)}::server:abcdefghijklmnop`],
  ['of two lines', 'abcdefghijklmnop\nqrstuvwx'],
  ['for bootstrap', 'abcdef.0123456789abcdef'],
  ['beyond ASCII', 'abcdefghijklmnopé'],
])('a token %s is refused, and not repeated', (_, token) => {
  expect(tokenProblem(token)).toMatch(/16 to 256 letters/)
  expect(tokenProblem(token)).not.toContain(token)
})

test('what the hosts make themselves is a token', () => {
  expect(tokenProblem('0123456789abcdef'.repeat(4))).toBeUndefined()
})
