import { expect, test } from 'vitest'
import { agesOf, atTime, CALM, isChange, restored, withChange } from '../../src/pair/flap_guard.ts'
import { judge } from '../../src/pair/judge.ts'
import {
  afterStall,
  firstMemory,
  type Memory,
  overheard,
  remember,
} from '../../src/pair/liveness.ts'
import type { Sighting } from '../../src/pair/sighting.ts'
import { FLAP_LIMIT, FLAP_WINDOW_MS, timingOf } from '../../src/pair/timing.ts'
import { answers, leading, NOTHING_SEEN, pairMeta } from '../support/agent_sightings.ts'

const META = pairMeta()
const TIMING = timingOf({ intervalMs: 1000, failures: 4 })

/** What is remembered after these looks, a second apart. */
function seen(
  looks: readonly Partial<Sighting>[],
  { self = 'h1', meta = META, from = firstMemory(0) } = {},
): Memory {
  return looks.reduce<Memory>(
    (memory, look, index) =>
      remember(memory, { ...NOTHING_SEEN, ...look }, { self, meta, at: (index + 1) * 1000 }),
    from,
  )
}

function judged(memory: Memory, now: number, meta = META, acceptLossBytes = 0) {
  return judge(memory, {
    now,
    timing: TIMING,
    meta,
    metaDoubtful: false,
    acceptLossBytes,
    followerDelayMs: 0,
  })
}

const streamAfter = (oldestWaitMs: number) =>
  judged(seen([leading(), leading({ oldestWaitMs })]), 2000).stream

const waited = (oldestWaitMs: number, flushedBytes: number) =>
  leading({ oldestWaitMs, writtenBytes: 900, flushedBytes })

const waitedAt = (oldestWaitMs: number, bytes: number) =>
  leading({ oldestWaitMs, writtenBytes: bytes, flushedBytes: bytes })

const wal = (writtenBytes: number, flushedBytes: number) => leading({ writtenBytes, flushedBytes })

const disk = (freeMb: number, writable = true) => ({
  disk: { writable, freeBytes: freeMb * 1024 * 1024 },
})

const diskAfter = (...looks: readonly Partial<Sighting>[]) => judged(seen(looks), 9000).disk

const down = (starting: boolean) => ({ postgres: { up: false, starting, why: '' } }) as const

const ping = (at: number) => ({ peerPing: { sentAt: at, arrivedAt: at } })

const gateway = (at: number) => ({ gateway: { sentAt: at, arrivedAt: at } })

const answersAt = (at: number) => ({
  ...answers({ meta: META, sentAt: at, arrivedAt: at }),
  ...gateway(at),
})

test('a commit that waits for more than 1.5 s is a lost follower, one that waits for less is not (B7)', () => {
  expect([streamAfter(0), streamAfter(1500), streamAfter(1501)]).toEqual([
    'caught-up',
    'caught-up',
    'lost',
  ])
})

test('commits whose clients give up sooner are a lost follower too, unless it has flushed since (B7, A8)', () => {
  const given = [waited(900, 100), waited(300, 100)]
  expect(judged(seen([leading(), ...given]), 3000).stream).toBe('lost')
  expect(judged(seen([leading(), waited(900, 100), waited(300, 200)]), 3000).stream).toBe('behind')
  const idle = [waited(900, 100), waited(0, 900), waited(0, 900), waited(0, 900)]
  expect(judged(seen([leading(), ...idle]), 5000).stream).toBe('caught-up')
})

test('a commit that was acknowledged while the one look was made, on a leader that is idle afterwards, is no lost follower (B7)', () => {
  // The look has seen it wait, and that it was flushed; then nobody writes, and nothing can be flushed beyond it.
  const idle = [wal(900, 900), waitedAt(3, 950), wal(950, 950), wal(950, 950)]
  expect(judged(seen(idle), 4000).stream).toBe('caught-up')
  // Other WAL than commits keeps a reader behind for a moment; a commit that was given up stays behind.
  expect(judged(seen([...idle, wal(960, 950), wal(960, 960)]), 6000).stream).toBe('caught-up')
  const given = [
    wal(900, 900),
    leading({ oldestWaitMs: 900, writtenBytes: 950, flushedBytes: 900 }),
  ]
  expect(judged(seen([...given, wal(950, 900), wal(950, 900)]), 4000).stream).toBe('lost')
})

test('a slot that nobody has read for 1.5 s is a lost follower (B7)', () => {
  const idle = leading({ slot: 'idle', streaming: false, flushedBytes: null })
  expect(judged(seen([leading(), idle, idle]), 3000).stream).toBe('behind')
  expect(judged(seen([leading(), idle, idle, idle]), 4000).stream).toBe('lost')
  expect(judged(seen([leading(), idle, idle, leading()]), 4000).stream).toBe('caught-up')
})

test('a follower that says that it is about to stop is lost before a commit waits for it (B7)', () => {
  const says = { ...leading(), ...answers({ meta: META, leaving: true }) }
  expect(judged(seen([leading(), says]), 2000).stream).toBe('lost')
  const stays = { ...leading(), ...answers({ meta: META }) }
  expect(judged(seen([says, stays, stays]), 3000).stream).toBe('caught-up')
})

test('caught up is what has all that was written a round ago', () => {
  expect(judged(seen([wal(100, 90), wal(200, 100)]), 2000).stream).toBe('caught-up')
  expect(judged(seen([wal(100, 90), wal(200, 99)]), 2000).stream).toBe('behind')
})

test('a pair whose commits wait for nobody is none, whoever took the names away', () => {
  const memory = seen([leading(), leading({ synchronous: false })])
  expect(judged(memory, 2000).stream).toBe('lost')
  const alone = pairMeta({ mode: 'alone' })
  const same = seen([leading(), leading({ synchronous: false })], { meta: alone })
  expect(judged(same, 2000, alone).stream).toBe('caught-up')
})

test('A2: what is not published is acknowledged by a follower that never gets it: the stream is lost, and the slot', () => {
  const memory = seen([leading(), leading({ published: false })])
  expect(judged(memory, 2000)).toMatchObject({ stream: 'lost', slot: 'lost' })
  const alone = pairMeta({ mode: 'alone' })
  const same = seen([leading(), leading({ published: false })], { meta: alone })
  expect(judged(same, 2000, alone)).toMatchObject({ stream: 'caught-up', slot: 'lost' })
})

test('what was seen in another term says nothing of this one', () => {
  const memory = seen([leading(), leading({ slot: 'lost', oldestWaitMs: 9000 })])
  expect(judged(memory, 2000, pairMeta({ term: 3 }))).toMatchObject({
    stream: 'behind',
    slot: 'ok',
  })
})

test('a disk is full below its bound, and well again at twice as much', () => {
  expect(diskAfter(disk(33))).toBe('ok')
  expect(diskAfter(disk(31))).toBe('full')
  expect(diskAfter(disk(31), disk(63))).toBe('full')
  expect(diskAfter(disk(31), disk(65))).toBe('ok')
  expect(diskAfter(disk(1000, false))).toBe('full')
})

test('PostgreSQL that is down for 6 s has failed; crash recovery and a boot may take 30', () => {
  const crashed = seen([leading(), down(false)])
  expect(judged(crashed, 7999).postgres).toBe('starting')
  expect(judged(crashed, 8000).postgres).toBe('failed')
  expect(judged(seen([leading(), down(true)]), 31_000).postgres).toBe('starting')
  expect(judged(seen([leading(), down(true)]), 32_000).postgres).toBe('failed')
  expect(judged(seen([down(false)]), 30_000).postgres).toBe('starting')
  expect(judged(seen([down(false)]), 31_000).postgres).toBe('failed')
})

test('a host without a configured gateway is never cut off by it', () => {
  expect(judged(seen([{ gateway: 'none' }, { gateway: 'none' }]), 20_000).gateway).toBe('up')
})

test('a peer whose agent alone is silent is never gone: its ICMP answers', () => {
  const looks = Array.from({ length: 20 }, (_, index) => ping((index + 1) * 1000))
  expect(judged(seen(looks), 20_500).peer).toEqual({ contact: 'silent' })
})

test('a ping that was answered between two looks is no answer to the second: its leader is gone when four looks have failed, and not one later', () => {
  const cut = seen([answersAt(1000), ping(1990), {}, {}, {}], { self: 'h2' })
  // The look of 2000 has failed too: what it heard had been sent before it.
  expect(cut.peer).toMatchObject({ unanswered: [2000, 3000, 4000, 5000], sentAt: 1990 })
  expect([judged(cut, 5499).peer, judged(cut, 5989).peer]).not.toContainEqual({ contact: 'gone' })
  expect(judged(cut, 5990).peer).toEqual({ contact: 'gone' })
  const early = seen([answersAt(1000), ping(1010), {}, {}, {}], { self: 'h2' })
  expect(judged(early, 5499).peer).toEqual({ contact: 'cut' })
  expect(judged(early, 5500).peer).toEqual({ contact: 'gone' })
})

test('a leader that is cut off stops when it has to, whatever came back just before', () => {
  const ping = { sentAt: 1010, arrivedAt: 1010 }
  const cut = seen([answersAt(1000), { peerPing: ping, gateway: ping }, {}])
  expect(judged(cut, 4009)).toMatchObject({ gateway: 'silent', peer: { contact: 'silent' } })
  expect(judged(cut, 4010)).toMatchObject({ gateway: 'down', peer: { contact: 'cut' } })
})

test('pings that a gateway answers between the looks keep it up, and an overheard one counts at once', () => {
  const memory = seen([gateway(900), gateway(1900), gateway(2900), {}, {}])
  expect(judged(memory, 5500).gateway).toBe('silent')
  expect(judged(memory, 5900).gateway).toBe('down')
  const back = overheard(memory, { peerPing: null, ...gateway(5600) })
  expect(judged(back, 5900).gateway).toBe('silent')
  expect(judged(seen([gateway(900), gateway(1900)]), 2500).gateway).toBe('up')
})

test('one look without an answer decides nothing: missed, then silent', () => {
  const memory = seen([answers({ meta: META })])
  const later = { ...memory, agent: { ...memory.agent, missed: 1 } }
  expect(judged(later, 2500).peer.contact).toBe('missed')
  expect(judged({ ...later, agent: { ...later.agent, missed: 2 } }, 3500).peer.contact).toBe(
    'silent',
  )
})

test('after a stall nothing that was seen before counts (A8)', () => {
  const memory = afterStall(seen([answers({ meta: META }), leading()]), 60_000)
  expect(judged(memory, 60_000)).toMatchObject({ proven: false, stream: 'lost' })
  expect(memory.inDoubt).toBe(true)
})

test('what a follower may lack at most is the last word of its leader, until that is in doubt', () => {
  const meta = META
  const said = answers({ meta, followerBehindBytes: 42 })
  const heard = { gateway: { sentAt: 1000, arrivedAt: 1000 } }
  expect(judged(seen([{ ...said, ...heard }], { self: 'h2' }), 1500).lagBytes).toBe(42)
  const cut = seen([{ ...said, ...heard }, {}, {}], { self: 'h2' })
  expect(judged(cut, 3500).lagBytes).toBeNull()
})

test('the flap guard freezes at its limit, and thaws when an hour was calm', () => {
  let guard = CALM
  for (let change = 0; change < FLAP_LIMIT; change++) guard = withChange(guard, change * 60_000)
  expect(guard.frozen).toBe(true)
  const last = (FLAP_LIMIT - 1) * 60_000
  expect(atTime(guard, last + FLAP_WINDOW_MS - 1).frozen).toBe(true)
  expect(atTime(guard, last + FLAP_WINDOW_MS)).toEqual(CALM)
  const slow = Array.from({ length: 10 }, (_, index) => index * 15 * 60_000)
  expect(slow.reduce(withChange, CALM).frozen).toBe(false)
  expect(restored([50, 40, 30, 20, 10, 0], 1000).frozen).toBe(true)
})

test('changes that a clock set back to 1970 puts into the future are not counted as new', () => {
  const set = Date.UTC(2026, 0, 1)
  expect(agesOf([set - 50, set - 10], set)).toEqual([50, 10])
  expect(agesOf([set + 60_000], set), 'a clock that was put right by a minute').toEqual([0])
  expect(agesOf([set - 50, set - 10], 0)).toEqual([])
})

test('another leader and going alone are changes; pairing again, a slot and a fork point are not', () => {
  const alone = pairMeta({ mode: 'alone' })
  expect(isChange(META, alone)).toBe(true)
  expect(isChange(META, pairMeta({ leader: 'h2', mode: 'alone' }))).toBe(true)
  expect(isChange(alone, META)).toBe(false)
  expect(isChange(alone, { ...alone, slot: 'h2_1_2' })).toBe(false)
  expect(isChange(null, META)).toBe(false)
})
