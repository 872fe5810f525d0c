import { beforeAll, expect, test } from 'vitest'
import { convergedPair, healthy, theLab } from './pair.ts'
import { leavesThePair } from './standing_pair.ts'
import { converge, explain, type Laptop } from '../../lab/twonode_process.ts'
import type { Lab } from '../../lab/lab.ts'

let lab: Lab
let from: Laptop

beforeAll(async () => {
  ;({ lab, from } = await convergedPair())
})
leavesThePair(theLab)

test('after a reboot of one host and then the other the pair is healthy by itself, and nothing differs', async () => {
  await lab.reboot('h1')
  await healthy(from, 60_000)
  await lab.reboot('h2')
  await healthy(from, 60_000)
  const check = await converge(from, ['--check'])
  expect(check.code, explain(check)).toBe(0)
})

test('B8: after a reboot of both at once the pair is healthy by itself, and nothing differs', async () => {
  await Promise.all([lab.reboot('h1'), lab.reboot('h2')])
  await healthy(from, 60_000)
  const check = await converge(from, ['--check'])
  expect(check.code, explain(check)).toBe(0)
})
