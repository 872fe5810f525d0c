import { afterEach, beforeAll, expect, test } from 'vitest'
import { HOST_NAMES } from '../../lab/names.ts'
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
afterEach(async () => {
  await lab.heal()
})
leavesThePair(theLab)

test('a laptop that vanishes in the middle of a run frees the hosts by itself', async () => {
  // Something to change that takes a while: the run is under way when the network goes. The other host
  // waits at a barrier meanwhile, and lets go of its own lock.
  await inHost('h2', ['rm', '-f', '/usr/local/bin/k3s'])
  const child = startTwonode(from, ['converge', '-i', from.inventory, '--json'])
  const run = finished(child)
  await eventually(
    'a host is locked',
    async () => ((await lockHolders()).some((holder) => holder !== '') ? true : 'no lock yet'),
    30_000,
  )
  for (const host of ['h1', 'h2'] as const) await lab.cut(host, { from: 'gateway' })
  // 20 s of silence and the change in progress; the bound here is for a busy machine.
  await eventually(
    'both locks are free, and no runner is left',
    async () => {
      const left = [...(await lockHolders()), ...(await runners())].filter((found) => found !== '')
      return left.length === 0 ? true : left.join(', ')
    },
    60_000,
  )
  await lab.heal()
  killGroup(child)
  const cut = await run
  expect(cut.code, `the run ended before the network went: ${explain(cut)}`).not.toBe(0)
  await mustConverge(from)
  expect(changedCounts(await mustConverge(from))).toEqual({ h1: 0, h2: 0 })
})

test('Ctrl-C ends the run after the current change with 130, and the next run goes on', async () => {
  await inHost('h1', ['rm', '-f', '/usr/local/bin/kine'])
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

/** What runs on each host for a laptop. */
function runners(): Promise<string[]> {
  const script =
    "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'main.mjs runne[r]' || true"
  return Promise.all(HOST_NAMES.map((host) => inHost(host, ['sh', '-c', script])))
}

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
