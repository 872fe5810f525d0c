import { expect, test } from 'vitest'
import { runSeeds, seedsOf } from './seeds.ts'

/** Every tenth of the seeds once more: the storms are the same for both policies but for the witness. */
const PARTS = 10

test('under consistency nothing acknowledged is lost, whoever loses whom, and a pair heals with its claim (A4)', async () => {
  const { broken, story } = await runSeeds(seedsOf(0, PARTS), undefined, 'consistency')
  expect(broken, story).toEqual([])
})

test('a pair with a witness survives hours of storms, one after the other (A4)', async () => {
  const { broken, story } = await runSeeds([900_003], 60, 'consistency')
  expect(broken, story).toEqual([])
})
