import { expect, test } from 'vitest'
import { runSeeds, seedsOf } from './seeds.ts'

test('whatever happens to a pair, nothing acknowledged is lost, and it heals (even seeds)', async () => {
  const { broken, story } = await runSeeds(seedsOf(0, 2))
  expect(broken, story).toEqual([])
})
