import { expect, test } from 'vitest'
import type { Step } from './engine.ts'
import { FILES } from './running_agent.ts'
import { apply } from './outages.ts'
import { randomOf } from './random.ts'
import { sitter } from './sitter.ts'
import { stormOf } from './storm.ts'
import { Table } from './table.ts'
import { World } from './world.ts'

/** A pair that is up and takes writes, with nobody who decides anything. */
async function pairOf(seed = 1): Promise<World> {
  const world = new World({ seed, startAgent: sitter, told: true })
  world.start()
  await world.time.runTo(8_000)
  expect(world.judge.acknowledged.length).toBeGreaterThan(10)
  return world
}

async function pass(world: World, ms: number): Promise<void> {
  await world.time.runTo(world.time.now + ms)
}

async function outage(world: World, text: string, ms: number): Promise<void> {
  apply(world, { atMs: world.time.now, text })
  await pass(world, ms)
}

async function step(world: World, host: string, tag: string): Promise<void> {
  const machine = world.machine(host)
  const meta = machine.meta
  if (meta === null) throw new Error('no hostMeta')
  const place = {
    world,
    machine,
    meta,
    tags: [tag],
    registered: {},
    wait: () => Promise.resolve(),
    stopped: () => false,
  }
  const matches = (each: Step) =>
    each.tags.includes(tag) && each.on !== (host === 'h1' ? 'follower' : 'leader')
  for (const each of world.sequence)
    if (matches(each) && each.when?.(place) !== false) await each.act(place)
}

test('the same seed gives the same run, to the last revision', async () => {
  const [once, again] = [await pairOf(7), await pairOf(7)]
  expect(again.judge.acknowledged.map(({ id }) => id)).toEqual(
    once.judge.acknowledged.map(({ id }) => id),
  )
  expect(stormOf(randomOf(3), { fromMs: 0, toMs: 9, partition: 'availability' })).toEqual(
    stormOf(randomOf(3), { fromMs: 0, toMs: 9, partition: 'availability' }),
  )
})

test('a paired leader acknowledges nothing while its follower is away', async () => {
  const world = await pairOf()
  await outage(world, 'power-off h2', 100)
  const before = world.judge.acknowledged.length
  await pass(world, 5_000)
  expect(world.judge.acknowledged).toHaveLength(before)
  expect(world.machine('h1').postgres.waiting.length).toBeGreaterThan(0)
})

test('a power cut of the leader loses nothing that was acknowledged', async () => {
  const world = await pairOf()
  await outage(world, 'power-off h1', 1_000)
  const { table } = world.machine('h2').postgres
  expect(world.judge.acknowledged.filter((row) => !table.has(row))).toEqual([])
})

test('a follower loses at a power cut what it had applied and not flushed, and gets it again', async () => {
  const world = await pairOf()
  const { postgres } = world.machine('h2')
  for (let tries = 0; tries < 2_000 && postgres.subscription?.unflushed.length !== 1; tries++)
    await pass(world, 1)
  const [row] = postgres.subscription?.unflushed ?? []
  if (row === undefined) throw new Error('nothing was ever unflushed')
  await outage(world, 'power-off h2', 10)
  expect(postgres.table.has(row)).toBe(false)
  await outage(world, 'power-on h2', 10_000)
  expect(postgres.table.has(row)).toBe(true)
})

test('revisions are committed out of their order (A1)', async () => {
  const world = await pairOf()
  await pass(world, 60_000)
  const ids = world.machine('h1').postgres.log.map(({ id }) => id)
  expect(ids).not.toEqual(ids.toSorted((a, b) => a - b))
})

test('a write under way outlives its kine (A7)', async () => {
  const world = await pairOf()
  const { postgres } = world.machine('h1')
  for (let tries = 0; tries < 5_000 && postgres.open.size === 0; tries++) await pass(world, 1)
  const [open] = postgres.open
  if (open === undefined) throw new Error('nothing was ever open')
  for (const { name } of world.machines) await outage(world, `kill-kine ${name}`, 0)
  await pass(world, 3_000)
  expect(postgres.table.has(open.row)).toBe(true)
  expect(open.row.acknowledged).toBe(false)
})

test('while a follower copies, its leader takes the word of the copy for the table (A3)', async () => {
  const world = await pairOf()
  const follower = world.machine('h2').postgres
  const { subscription } = follower
  if (subscription === null) throw new Error('no subscription')
  follower.subscription = { ...subscription, state: 'copying', copyUntil: null }
  follower.table = new Table()
  await pass(world, 500)
  expect(world.machine('h1').postgres.waiting).toHaveLength(0)
  expect(follower.table.count).toBe(0)
})

test('the fence lets nobody write but the worker that applies', async () => {
  const world = await pairOf()
  await step(world, 'h1', 'impair')
  const { postgres } = world.machine('h1')
  const rows = postgres.table.count
  await pass(world, 5_000)
  expect(postgres.table.count).toBe(rows)
})

test('a disk keeps what was written when the write resolved, and the old content before', async () => {
  const world = await pairOf()
  const { disk, agent } = world.machine('h1')
  if (agent === null) throw new Error('no agent')
  void disk.write(FILES.proof, { term: 9, voided: 0 }, agent.life)
  await outage(world, 'power-off h1', 50)
  expect(world.machine('h1').proof).toEqual({ term: 0, voided: 0 })
})

test('without an agent for the fence time kine is stopped (B9)', async () => {
  const world = await pairOf()
  apply(world, { atMs: 0, text: 'mask-agent h1' })
  await outage(world, 'kill-agent h1', 2_000)
  expect(world.machine('h1').kine.running).toBe(true)
  await pass(world, 2_000)
  expect(world.machine('h1').kine.running).toBe(false)
})
