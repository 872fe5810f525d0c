import { expect, test } from 'vitest'
import {
  alone,
  digestOf,
  forkOf,
  handedOver,
  lacksFork,
  paired,
  promoted,
  withFork,
  withNewSlot,
  withReplacement,
} from '../../src/pair/goals.ts'
import { compareHostMeta, parseHostMeta, serialiseHostMeta } from '../../src/pair/host_meta.ts'
import { pairMeta } from '../support/agent_sightings.ts'

const META = pairMeta({ term: 4 })
const STAMP = { self: 'h2', wallTime: '2026-02-03T04:05:06.000Z', highestTerm: 0 }

test('a promotion begins a branch that this host leads alone, with a first slot for the other', () => {
  expect(promoted(META, STAMP)).toMatchObject({
    term: 5,
    branch: 5,
    mode: 'alone',
    leader: 'h2',
    slot: 'h1_5_1',
    began: 'promotion',
    fork: null,
    hosts: [
      { name: 'h1', role: 'follower' },
      { name: 'h2', role: 'leader' },
    ],
  })
})

test('a hand-over begins a branch that the other host leads (A7)', () => {
  const next = handedOver(META, { ...STAMP, self: 'h1' })
  expect(next).toMatchObject({ leader: 'h2', branch: 5, slot: 'h1_5_1', began: 'handover' })
})

test('going alone and pairing keep branch, slot and fork point', () => {
  const { branch, slot, fork } = META
  expect(alone(META, STAMP)).toMatchObject({ term: 5, mode: 'alone', branch, slot, fork })
  expect(paired(META, STAMP)).toMatchObject({ term: 5, mode: 'paired', branch, slot, fork })
})

test('a slot name is never used again (B3)', () => {
  expect(withNewSlot(META, STAMP).slot).toBe('h2_1_2')
  expect(withNewSlot({ ...META, slot: 'h2_1_41' }, STAMP).slot).toBe('h2_1_42')
  expect(withNewSlot({ ...META, slot: null }, STAMP).slot, 'let go').toBe('h2_1_5')
})

test('slot names are what PostgreSQL takes, whatever the host is called', () => {
  const hosts = META.hosts.map((host) =>
    host.name === 'h2' ? { ...host, name: `Node-B.${'x'.repeat(80)}` } : host,
  )
  expect(withNewSlot({ ...META, hosts }, STAMP).slot).toMatch(/^node_b_x{33}_1_2$/)
})

test('a replacement takes the place of the follower, with a slot of its own (B10)', () => {
  const next = withReplacement(META, STAMP, { name: 'h3', address: '10.77.0.13' })
  expect(next).toMatchObject({ slot: 'h3_1_2', leader: 'h1' })
  expect(next.hosts.map(({ name }) => name)).toEqual(['h1', 'h3'])
})

test('no term that was ever spoken of is used again', () => {
  expect(promoted(META, { ...STAMP, highestTerm: 9 }).term).toBe(10)
  expect(alone(META, { ...STAMP, highestTerm: 9 }).term).toBe(10)
})

test('every next hostMeta is higher than the one before, and one that a file can hold', () => {
  const next = [
    promoted(META, STAMP),
    handedOver(META, STAMP),
    alone(META, STAMP),
    paired(META, STAMP),
    withNewSlot(META, STAMP),
    withReplacement(META, STAMP, { name: 'h3', address: '10.77.0.13' }),
  ]
  for (const meta of next) {
    expect(compareHostMeta(meta, META)).toBeGreaterThan(0)
    expect(parseHostMeta(serialiseHostMeta(meta))).toEqual(meta)
  }
})

test('the fork point is taken from what the task of the marker registered, and from nothing else (A1)', () => {
  const fork = {
    from: 1,
    slot: 'h2_1_1',
    lsn: '0/1',
    count: 2,
    sum: '3',
    max: 2,
    compactRevision: 0,
  }
  expect(forkOf({ fork: { exists: true, fork } })).toEqual(fork)
  for (const registered of [{}, { fork: null }, { fork: { fork: { ...fork, max: '2' } } }])
    expect(forkOf(registered)).toBeNull()
  const begun = promoted(META, STAMP)
  expect(lacksFork(META)).toBe(false)
  expect(lacksFork(begun)).toBe(true)
  expect(lacksFork(withFork(begun, fork, STAMP.wallTime))).toBe(false)
})

test('a digest is what its task registered; none equals none', () => {
  expect(digestOf({ digest: { digest: '1:2' } })).toBe('1:2')
  expect(digestOf({})).toBeNull()
})
