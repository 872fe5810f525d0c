import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  compareHostMeta,
  type HostMeta,
  HOST_META_FORMAT,
  pairStateOf,
  parseHostMeta,
  sameHostMeta,
  serialiseHostMeta,
  winner,
} from '../../src/pair/host_meta.ts'

const name = fc.constantFrom('h1', 'h2')
const fork = fc.record({
  slot: fc.option(fc.constant('h2_1_1')),
  lsn: fc.option(fc.constantFrom('0/1A2B3C8', 'FF/0')),
  count: fc.nat(),
  sum: fc.bigInt({ min: 0n, max: 2n ** 80n }).map(String),
  max: fc.nat(),
  compactRevision: fc.nat(),
})
const hostMeta: fc.Arbitrary<HostMeta> = fc
  .record({
    site: fc.string({ minLength: 1 }),
    branch: fc.integer({ min: 1, max: 3 }),
    above: fc.integer({ min: 0, max: 2 }),
    mode: fc.constantFrom('paired' as const, 'alone' as const),
    leader: name,
    slot: fc.option(fc.string()),
    began: fc.constantFrom('promotion' as const, 'handover' as const),
    fork: fc.option(fork),
    lastModified: fc.constantFrom('2026-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z'),
  })
  .map(({ above, leader, branch, began, fork: point, ...rest }) => ({
    ...rest,
    began: branch === 1 ? ('first' as const) : began,
    fork: branch === 1 || point === null ? null : { ...point, from: branch - 1 },
    format: HOST_META_FORMAT,
    leader,
    branch,
    term: branch + above,
    hosts: (['h1', 'h2'] as const).map((host, index) => ({
      name: host,
      address: `10.0.0.${index + 1}`,
      role: host === leader ? ('leader' as const) : ('follower' as const),
    })),
    controlPlaneEndpoint: '10.0.0.10:6443',
  }))

test('what is written is what is read, to the byte', () => {
  fc.assert(
    fc.property(hostMeta, (meta) => {
      const text = serialiseHostMeta(meta)
      expect(parseHostMeta(text)).toEqual(meta)
      expect(serialiseHostMeta(parseHostMeta(text))).toBe(text)
    }),
  )
})

test('a torn file is never taken for a hostMeta', () => {
  fc.assert(
    fc.property(hostMeta, fc.double({ min: 0, max: 1, noNaN: true }), (meta, part) => {
      const text = serialiseHostMeta(meta)
      // Without its line end alone it is whole.
      const torn = text.slice(0, Math.floor((text.length - 2) * part))
      expect(() => parseHostMeta(torn)).toThrow(/this is no hostMeta/)
    }),
  )
})

test('the winner does not depend on who asks, nor in which order', () => {
  fc.assert(
    fc.property(hostMeta, hostMeta, hostMeta, (a, b, c) => {
      expect(winner(a, b)).toEqual(winner(b, a))
      expect(winner(winner(a, b), c)).toEqual(winner(a, winner(b, c)))
      expect(winner(a, a)).toEqual(a)
    }),
  )
})

test('a promoted host beats one that only went alone, whatever the clocks say', () => {
  fc.assert(
    fc.property(hostMeta, hostMeta, (a, b) => {
      fc.pre(a.branch > b.branch)
      expect(winner({ ...a, lastModified: '1970-01-01' }, b).branch).toBe(a.branch)
      expect(compareHostMeta(a, b)).toBeGreaterThan(0)
    }),
  )
})

test('A1: of two that agree otherwise, the one that knows the fork point wins', () => {
  fc.assert(
    fc.property(hostMeta, (meta) => {
      fc.pre(meta.fork !== null)
      expect(winner(meta, { ...meta, fork: null, lastModified: '9999-01-01' })).toEqual(meta)
      expect(sameHostMeta(meta, { ...meta, fork: null })).toBe(false)
    }),
  )
})

test('the time of writing makes no difference', () => {
  fc.assert(
    fc.property(hostMeta, (meta) => {
      expect(sameHostMeta(meta, { ...meta, lastModified: 'another time' })).toBe(true)
      expect(sameHostMeta(meta, { ...meta, term: meta.term + 1 })).toBe(false)
    }),
  )
})

const good = serialiseHostMeta({
  format: 1,
  site: 'shop',
  term: 2,
  branch: 1,
  mode: 'paired',
  leader: 'h1',
  slot: null,
  began: 'first',
  fork: null,
  hosts: [
    { name: 'h1', address: '10.0.0.1', role: 'leader' },
    { name: 'h2', address: '10.0.0.2', role: 'follower' },
  ],
  controlPlaneEndpoint: '10.0.0.10:6443',
  lastModified: '2026-01-01T00:00:00.000Z',
})

const FORK = `fork:
  from: 1
  slot: "h2_1_1"
  lsn: "0/1A2B3C8"
  count: 4
  sum: "10"
  max: 4
  compactRevision: 0`
const later = good
  .replace('branch: 1', 'branch: 2')
  .replace('began: first', 'began: promotion')
  .replace('fork: null', FORK)

test.each([
  ['nothing', '', 'it is empty'],
  ['a list', '- a\n', 'it is no mapping'],
  ['another format', good.replace('format: 1', 'format: 9'), 'its format is 9, not 1'],
  ['a key of someone else', `${good}color: red\n`, "'color' is no key of it"],
  ['a key twice', `${good}term: 9\n`, 'Map keys must be unique'],
  ['a term that is text', good.replace('term: 2', 'term: "2"'), "'term' is no whole number"],
  ['a term of nothing', good.replace('term: 2', 'term: 0'), "'term' is no whole number"],
  ['a branch above its term', good.replace('branch: 1', 'branch: 3'), 'higher than the term'],
  ['another mode', good.replace('paired', 'single'), "'mode' is neither paired nor alone"],
  ['a beginning of another kind', good.replace('began: first', 'began: twice'), "'began' is none"],
  ['a first branch that was a promotion', good.replace('first', 'handover'), 'did not begin as'],
  [
    'a first branch with a fork',
    good.replace('fork: null', FORK),
    'the first branch continues none',
  ],
  ['a fork with a part missing', later.replace('  count: 4\n', ''), "'fork' is no fork point"],
  ['a fork of a later branch', later.replace('from: 1', 'from: 2'), "'fork' is no fork point"],
  ['a fork nowhere', later.replace('0/1A2B3C8', 'here'), "'fork' is no fork point"],
  ['two leaders', good.replace('role: follower', 'role: leader'), '2 hosts lead'],
  ['a leader without the role', good.replace('leader: "h1"', 'leader: "h2"'), "'leader' is not"],
  ['one name twice', good.replace('name: "h2"', 'name: "h1"'), 'the same name'],
])('%s is refused in words', (_, text, words) => {
  expect(() => parseHostMeta(text)).toThrow(words)
})

test('it decides leader, term, branch with its beginning, mode and slot, and nothing else', () => {
  expect(pairStateOf(parseHostMeta(good))).toEqual({
    leader: 'h1',
    term: 2,
    branch: 1,
    mode: 'paired',
    slot: null,
    began: 'first',
    fork: null,
  })
})
