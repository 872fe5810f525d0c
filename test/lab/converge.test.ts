import { beforeAll, expect, test } from 'vitest'
import { convergedPair, kubectl, laptop, mustConverge, psql, theLab } from './pair.ts'
import { leavesThePair } from './standing_pair.ts'
import { changedCounts, type Laptop } from '../../lab/twonode_process.ts'
import type { Lab } from '../../lab/lab.ts'

let lab: Lab
let from: Laptop

beforeAll(async () => {
  ;({ lab, from } = await convergedPair())
})
leavesThePair(theLab)

test('a second converge changes nothing on either host', async () => {
  expect(changedCounts(await mustConverge(from))).toEqual({ h1: 0, h2: 0 })
})

test('a second laptop with an empty home changes nothing', async () => {
  const second = await laptop('second')
  expect(changedCounts(await mustConverge(second))).toEqual({ h1: 0, h2: 0 })
})

test("a ConfigMap written through the follower's API server is read at the virtual IP and stands in both databases", async () => {
  await kubectl('h2', ['create', 'configmap', 'written', '--from-literal=a=b'])
  const at = `https://${lab.virtualIp}:6443`
  expect(
    await kubectl('h1', [
      '--server',
      at,
      'get',
      'configmap',
      'written',
      '-o',
      'jsonpath={.data.a}',
    ]),
  ).toBe('b')
  const rows = "select count(*) from kine where name = '/registry/configmaps/default/written'"
  expect([await psql('h1', rows), await psql('h2', rows)]).toEqual(['1', '1'])
})

test('with the apply worker stopped a write is not acknowledged, and is once it resumes', async () => {
  await psql('h2', 'alter subscription twonode disable')
  let answered = false
  const write = kubectl('h1', ['create', 'configmap', 'waits', '--from-literal=a=b']).finally(
    () => (answered = true),
  )
  // The leader shows the waiting commit itself: no sleep decides this.
  const waits = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
  await expect.poll(() => psql('h1', waits), { timeout: 15_000 }).not.toBe('0')
  expect(answered).toBe(false)
  await psql('h2', 'alter subscription twonode enable')
  await write
  expect(answered).toBe(true)
})
