import { expect, test } from 'vitest'
import { runSeeds, seedsOf } from './seeds.ts'

/** Every twentieth of the seeds once more, with the power of both hosts in each other's hands. */
const PARTS = 20

test('where who has powered the other one off goes on, nothing acknowledged is lost, and a pair heals when both are switched on (A4, B7)', async () => {
  const { broken, story } = await runSeeds(seedsOf(0, PARTS), undefined, 'power')
  expect(broken, story).toEqual([])
})

test('a pair with fencing survives an hour of storms, one after the other', async () => {
  const { broken, story } = await runSeeds([900_004], 20, 'power')
  expect(broken, story).toEqual([])
})
