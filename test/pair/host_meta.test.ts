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
const hostMeta: fc.Arbitrary<HostMeta> = fc
  .record({
    site: fc.string({ minLength: 1 }),
    branch: fc.integer({ min: 1, max: 3 }),
    above: fc.integer({ min: 0, max: 2 }),
    mode: fc.constantFrom('paired' as const, 'alone' as const),
    leader: name,
    slot: fc.option(fc.string()),
    lastModified: fc.constantFrom('2026-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z'),
  })
  .map(({ above, leader, branch, ...rest }) => ({
    ...rest,
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
  hosts: [
    { name: 'h1', address: '10.0.0.1', role: 'leader' },
    { name: 'h2', address: '10.0.0.2', role: 'follower' },
  ],
  controlPlaneEndpoint: '10.0.0.10:6443',
  lastModified: '2026-01-01T00:00:00.000Z',
})

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
  ['two leaders', good.replace('role: follower', 'role: leader'), '2 hosts lead'],
  ['a leader without the role', good.replace('leader: "h1"', 'leader: "h2"'), "'leader' is not"],
  ['one name twice', good.replace('name: "h2"', 'name: "h1"'), 'the same name'],
])('%s is refused in words', (_, text, words) => {
  expect(() => parseHostMeta(text)).toThrow(words)
})

test('it decides leader, term, branch, mode and slot, and nothing else', () => {
  expect(pairStateOf(parseHostMeta(good))).toEqual({
    leader: 'h1',
    term: 2,
    branch: 1,
    mode: 'paired',
    slot: null,
  })
})
