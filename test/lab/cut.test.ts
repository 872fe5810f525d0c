import { expect, test } from 'vitest'
import { setTimeout as delay } from 'node:timers/promises'
import { changedCounts, explain, finished, inHost, killGroup, mustConverge, packagedHosts, bareHosts, laptop, startTwonode, type Laptop } from './pair.ts'
import { seeded } from './seed.ts'
import type { HostName } from '../../lab/names.ts'
import type { Lab } from '../../lab/lab.ts'

/** Who dies in the middle of a first converge. */
type Victim = 'controller' | 'runner' | 'sshd' | 'power'

const VICTIMS: readonly Victim[] = ['runner', 'controller', 'power', 'sshd']

/** How long a first converge from here may have run when the cut comes. @unit milliseconds */
const FROM_BARE_MS = 20_000
const FROM_PACKAGES_MS = 9_000

test.each([1, 2])('a first converge from bare hosts, cut at a seeded moment (%i), is finished by the next run', async (seed) => {
  const lab = await bareHosts()
  await cutAndFinish(lab, await laptop('first'), { seed, victim: VICTIMS[(seed * 2) % 4] ?? 'power', withinMs: FROM_BARE_MS })
})

test.each([3, 4, 5, 6])('a first converge of hosts with the packages, cut at a seeded moment (%i), is finished by the next run', async (seed) => {
  const { lab, from } = await packagedHosts()
  await cutAndFinish(lab, from, { seed, victim: VICTIMS[seed % 4] ?? 'runner', withinMs: FROM_PACKAGES_MS })
})

interface Cut {
  readonly seed: number
  readonly victim: Victim
  readonly withinMs: number
}

async function cutAndFinish(lab: Lab, from: Laptop, { seed, victim, withinMs }: Cut): Promise<void> {
  const random = seeded(seed)
  const host: HostName = random() < 0.5 ? 'h1' : 'h2'
  const atMs = 1_000 + random() * withinMs
  const child = startTwonode(from, ['converge', '-i', from.inventory, '--json'])
  const run = finished(child)
  // The moment is the test's input, not a wait for a state.
  await delay(atMs)
  if (victim === 'controller') killGroup(child)
  if (victim === 'runner') await killMatching(lab, host, '/opt/twonode/bundle/')
  if (victim === 'sshd') await killMatching(lab, host, 'sshd: ')
  if (victim === 'power') await lab.powerOff(host)
  const cut = await run
  if (victim === 'power') await lab.powerOn(host)
  const what = `seed ${seed}: ${victim} of ${host} at ${Math.round(atMs)} ms; the cut run: ${explain(cut)}`
  // A laptop that dies leaves runners that end after their current change, within 20 s of silence.
  const next = await mustConverge(from, ['--lock-timeout', '60s'])
  expect(next.code, what).toBe(0)
  expect(changedCounts(await mustConverge(from)), what).toEqual({ h1: 0, h2: 0 })
  for (const name of ['h1', 'h2'] as const) expect(await leftovers(name), what).toBe('')
}

async function killMatching(lab: Lab, host: HostName, part: string): Promise<void> {
  const { stdout } = await lab.exec(host, ['pgrep', '-f', part])
  const pids = stdout.trim().split('\n').filter((pid) => pid !== '')
  if (pids.length > 0) await lab.exec(host, ['kill', '-9', ...pids])
}

/** Temporary files of ours and half-installed packages, one a line. */
async function leftovers(host: HostName): Promise<string> {
  const files = await inHost(host, ['find', '/etc', '/opt/twonode', '/usr/local', '/var/lib/twonode', '/var/lib/postgresql', '-name', '.twonode-*'])
  const packages = await inHost(host, ['dpkg', '--audit'])
  return `${files}${packages}`
}
