import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { applyAll, converge, kineWrites, plan, result, step } from '../support/postgres_bench.ts'
import { ABSENT, type Pair, startPair } from '../support/replicating_pair.ts'

let pair: Pair
beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => {
  await pair.close()
})
beforeEach(async () => {
  await pair.reset()
})

test('cut after any change, the next run removes it, and the slot at the publisher stays', async () => {
  await converge(pair.follower.host, 'postgres_subscription', pair.present())
  await pair.ready()
  const whole = await plan(pair.follower.host, step('postgres_subscription', ABSENT))
  expect(whole.map(({ kind }) => kind)).toEqual([
    'sqlTransaction',
    'sql',
    'await',
    'sqlTransaction',
    'sql',
  ])
  for (let cut = 0; cut < whole.length; cut += 1) {
    await converge(pair.follower.host, 'postgres_subscription', pair.present({ copy_data: false }))
    const changes = await plan(pair.follower.host, step('postgres_subscription', ABSENT))
    await applyAll(pair.follower.host, changes.slice(0, cut))
    await converge(pair.follower.host, 'postgres_subscription', ABSENT)
    expect(await plan(pair.follower.host, step('postgres_subscription', ABSENT))).toEqual([])
    expect(await pair.workers()).toBe(0)
  }
  expect(
    await pair.leader.server.sql('kine', 'select slot_name from pg_replication_slots'),
  ).toEqual([{ slot_name: 'h2_1_1' }])
})

test('what came by the subscription before, after its table was seen to be empty, is not copied into: that would fail for ever, unseen', async () => {
  await converge(pair.follower.host, 'postgres_subscription', pair.present())
  await pair.ready()
  const next = pair.present({ slot: 'h2_1_2' })
  const slot = { name: 'h2_1_2', database: 'kine', publication: 'twonode' }
  await converge(pair.leader.host, 'replication_slot', slot)
  const changes = await plan(pair.follower.host, step('postgres_subscription', next))
  await pair.arrives(await kineWrites(pair.leader.server, '/registry/a', '1'))
  await expect(applyAll(pair.follower.host, changes)).rejects.toThrow(/public.kine has rows by now/)
  expect(await pair.workers()).toBe(0)
  expect(await result(pair.follower.host, 'postgres_subscription', ABSENT)).toMatchObject({
    exists: false,
  })
})

test('finding 7: with a dead publisher in the middle of a copy it ends in time, and is harmless', async () => {
  await converge(pair.follower.host, 'postgres_subscription', pair.present())
  await pair.leader.server.signal('SIGSTOP')
  try {
    const begin = performance.now()
    await converge(pair.follower.host, 'postgres_subscription', ABSENT)
    expect(performance.now() - begin).toBeLessThan(25_000)
    expect(await pair.workers()).toBe(0)
    // PostgreSQL may have refused the drop: what is left is as good as nothing.
    const left = await result(pair.follower.host, 'postgres_subscription', ABSENT)
    const { enabled = false, slot = null } = left
    expect({ enabled, slot }).toEqual({ enabled: false, slot: null })
  } finally {
    await pair.leader.server.signal('SIGCONT')
  }
  await converge(pair.follower.host, 'postgres_subscription', ABSENT)
  expect(await result(pair.follower.host, 'postgres_subscription', ABSENT)).toMatchObject({
    exists: false,
  })
})
