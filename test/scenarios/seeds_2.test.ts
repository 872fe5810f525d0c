import { expect, test } from 'vitest'
import { runSeeds, seedsOf } from './seeds.ts'

test('whatever happens to a pair, nothing acknowledged is lost, and it heals (odd seeds)', async () => {
  const { broken, story } = await runSeeds(seedsOf(1, 2))
  expect(broken, story).toEqual([])
})

test('a pair survives hours of storms, one after the other', async () => {
  const { broken, story } = await runSeeds([900_001, 900_002], 60)
  expect(broken, story).toEqual([])
})
