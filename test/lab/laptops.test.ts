import { beforeAll, expect, test } from 'vitest'
import { convergedPair, eventually, inHost, mustConverge, theLab } from './pair.ts'
import { leavesThePair } from './standing_pair.ts'
import {
  changedCounts,
  explain,
  finished,
  killGroup,
  startTwonode,
  type Laptop,
} from '../../lab/twonode_process.ts'
import type { Lab } from '../../lab/lab.ts'

let lab: Lab
let from: Laptop

beforeAll(async () => {
  ;({ lab, from } = await convergedPair())
})
leavesThePair(theLab)

test('a laptop that vanishes in the middle of a run frees the hosts by itself', async () => {
  // Something to change on both hosts that takes a while: the run is under way when the network goes.
  for (const host of ['h1', 'h2'] as const) await inHost(host, ['rm', '-f', '/usr/local/bin/k3s'])
  const child = startTwonode(from, ['converge', '-i', from.inventory, '--json'])
  const run = finished(child)
  await eventually(
    'both hosts are locked',
    async () => ((await lockHolders()).every((holder) => holder !== '') ? true : 'no lock yet'),
    30_000,
  )
  for (const host of ['h1', 'h2'] as const) await lab.cut(host, { from: 'gateway' })
  // 20 s of silence and the change in progress; the bound here is for a busy machine.
  await eventually(
    'both locks are free',
    async () => {
      const holders = await lockHolders()
      return holders.every((holder) => holder === '') ? true : holders.join(', ')
    },
    60_000,
  )
  await lab.heal()
  killGroup(child)
  await run
  await mustConverge(from)
  expect(changedCounts(await mustConverge(from))).toEqual({ h1: 0, h2: 0 })
})

test('Ctrl-C ends the run after the current change with 130, and the next run goes on', async () => {
  await inHost('h1', ['rm', '-f', '/usr/local/bin/k3s'])
  const child = startTwonode(from, ['converge', '-i', from.inventory, '--json'])
  const run = finished(child)
  await eventually(
    'h1 is locked',
    async () => ((await lockHolder('h1')) !== '' ? true : 'no lock yet'),
    30_000,
  )
  child.kill('SIGINT')
  const interrupted = await run
  expect(interrupted.code, explain(interrupted)).toBe(130)
  await mustConverge(from)
  expect(changedCounts(await mustConverge(from))).toEqual({ h1: 0, h2: 0 })
})

function lockHolders(): Promise<string[]> {
  return Promise.all([lockHolder('h1'), lockHolder('h2')])
}

/** Pid of the process that holds the host's lock, or nothing. */
async function lockHolder(host: 'h1' | 'h2'): Promise<string> {
  const { code } = await lab.exec(host, [
    'flock',
    '-n',
    '-E',
    '75',
    '/run/twonode/converge.lock',
    'true',
  ])
  return code === 75 ? 'held' : ''
}
