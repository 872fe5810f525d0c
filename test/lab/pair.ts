import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { openLab, type Lab } from '../../lab/lab.ts'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'
import {
  converge,
  explain,
  finished,
  makeLaptop,
  startTwonode,
  type Laptop,
  type Run,
} from '../../lab/twonode_process.ts'
import { seenWithin } from '../../lab/wait.ts'
import { takeStandingPair } from './standing_pair.ts'
import { standTogether } from './standing_together.ts'
import { claimLab } from './suite_labs.ts'
import type { StepEvent } from '../../src/core/events.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

/** Between two looks: some cost a process in a host. @unit milliseconds */
const POLL_MS = 200

let opened: Promise<Lab> | undefined

/** The lab that this file's process has for itself until it ends. */
export function theLab(): Promise<Lab> {
  opened ??= claimLab().then((name) => openLab({ name }))
  return opened
}

/** A laptop of this name in the suite's lab. */
export async function laptop(name: string): Promise<Laptop> {
  return await makeLaptop(await theLab(), name)
}

/** Converges, and says what went wrong if it did. */
export async function mustConverge(from: Laptop, args: readonly string[] = []): Promise<Run> {
  const run = await converge(from, args)
  expect(run.code, explain(run)).toBe(0)
  return run
}

export function steps(run: Run, ...statuses: readonly StepEvent['status'][]): StepEvent[] {
  return run.events.filter(
    (event): event is StepEvent => event.event === 'step' && statuses.includes(event.status),
  )
}

/** `h1: task` of each step with one of these statuses. */
export function stepNames(run: Run, ...statuses: readonly StepEvent['status'][]): string[] {
  return steps(run, ...statuses).map((step) => `${step.host}: ${step.task}`)
}

/** Runs a command in a host and gives its output; a non-zero exit fails the test with its words. */
export async function inHost(
  host: HostName,
  argv: readonly string[],
  timeoutMs = 60_000,
): Promise<string> {
  const ended = await (await theLab()).exec(host, argv, { timeoutMs })
  expect(ended.code, `${host}: ${argv.join(' ')}: ${ended.stderr}${ended.stdout}`).toBe(0)
  return ended.stdout.trim()
}

export async function psql(host: HostName, text: string, database = 'kine'): Promise<string> {
  return await inHost(host, [
    'runuser',
    '-u',
    'postgres',
    '--',
    'psql',
    '-qtAX',
    '-v',
    'ON_ERROR_STOP=1',
    database,
    '-c',
    text,
  ])
}

export async function kubectl(host: HostName, args: readonly string[]): Promise<string> {
  return await inHost(
    host,
    ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=20s', ...args],
    30_000,
  )
}

/** Polls until `check` holds; the deadline's failure says what was seen last. */
export async function eventually(
  what: string,
  check: () => Promise<true | string>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let seen: string
  do {
    const result = await check().catch((error: unknown) => String(error))
    if (result === true) return
    seen = result
    await delay(POLL_MS)
  } while (Date.now() < deadline)
  expect.fail(`${what}: not within ${timeoutMs / 1000} s; last seen: ${seen}`)
}

/** Nobody heals the pair from here on: what a laptop finds is what a test has made. */
export async function stopAgents(): Promise<void> {
  // Together, or the guard would stop kine for the agent's silence.
  const units = ['twonode-guard.service', 'twonode-agent.service']
  for (const host of HOST_NAMES) await inHost(host, ['systemctl', 'stop', ...units])
}

/** Bare hosts, as Debian installs them. */
export async function bareHosts(): Promise<Lab> {
  const lab = await theLab()
  await lab.reset()
  return lab
}

/**
 * A healthy pair. Converged once a suite, restored from a snapshot afterwards, unless it still stands:
 * see {@link leavesThePair}.
 * @param options.smallDisks - hosts whose disks can be filled.
 */
export async function convergedPair({ smallDisks = false } = {}): Promise<{
  lab: Lab
  from: Laptop
}> {
  const lab = await theLab()
  const snapshot = `converged-${bundle()}`
  const { snapshots } = await lab.status()
  if (!snapshots.includes(snapshot)) {
    // Most of a first converge is apt's: other files want what stands in between.
    const { from } = await packagedHosts()
    await mustConverge(from)
    await lab.snapshot(snapshot)
    await healthy(from)
    if (smallDisks) await lab.reset(snapshot, { smallDisks })
  } else if (smallDisks || !(await takeStandingPair(lab))) {
    await lab.reset(snapshot, { smallDisks })
  }
  const from = await laptop('first')
  // It was verified when it was converged, and is to be up again as it was.
  await eventually('the pair is as it was', () => standTogether(lab))
  return { lab, from }
}

/** Hosts with the packages installed and nothing else: where a first converge's cuts start. */
export async function packagedHosts(): Promise<{ lab: Lab; from: Laptop }> {
  const lab = await theLab()
  const from = await laptop('first')
  const { snapshots } = await lab.status()
  if (snapshots.includes('packages')) {
    await lab.reset('packages')
  } else {
    await lab.reset()
    await mustConverge(from, ['--tags', 'packages'])
    await lab.snapshot('packages')
  }
  return { lab, from }
}

/** `verify` finds nothing, within the time that a reboot of both hosts may take. */
export async function healthy(from: Laptop, timeoutMs = 60_000): Promise<void> {
  // A verify costs the hosts what they need to start: it is asked when it may say yes.
  const deadline = Date.now() + timeoutMs
  const lab = await theLab()
  await seenWithin(() => standTogether(lab).then(isTrue, isTrue), { timeoutMs, everyMs: 100 })
  await eventually(
    'the pair is healthy',
    async () => {
      const run = await finished(
        startTwonode(from, ['verify', '-i', from.inventory, '--json']),
        60_000,
      )
      return run.code === 0 ? true : explain(run)
    },
    Math.max(0, deadline - Date.now()),
  )
}

const isTrue = (answer: unknown): boolean => answer === true

/** Names the snapshot by what made it: a suite after a change of code or playbooks converges anew. */
function bundle(): string {
  const manifest = readFileSync(join(ROOT, 'dist/bundle/manifest.json'), 'utf8')
  const made = createHash('sha256').update((JSON.parse(manifest) as { sha256: string }).sha256)
  const playbooks = join(ROOT, 'playbooks')
  for (const name of readdirSync(playbooks, { recursive: true, encoding: 'utf8' }).toSorted())
    if (statSync(join(playbooks, name)).isFile()) made.update(readFileSync(join(playbooks, name)))
  return made.digest('hex').slice(0, 12)
}
