import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { spawn, type ChildProcess } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { openLab, type Lab } from '../../lab/lab.ts'
import type { HostName } from '../../lab/names.ts'
import type { Event, StepEvent, SummaryEvent } from '../../src/core/events.ts'

/** The suite's own lab: one that a developer has up is not disturbed. */
export const LAB_NAME = 'test'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

/** A converge of bare hosts on a busy two-core machine. @unit milliseconds */
const CONVERGE_TIMEOUT_MS = 8 * 60_000

export interface Run {
  readonly code: number
  readonly events: readonly Event[]
  readonly summary: SummaryEvent | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A laptop: its own home directory, the machine's cache of the runtime. */
export interface Laptop {
  readonly home: string
  readonly inventory: string
}

let opened: Promise<Lab> | undefined

export function theLab(): Promise<Lab> {
  opened ??= openLab({ name: LAB_NAME })
  return opened
}

/** A laptop of this name, with an inventory of the lab; `edit` changes the inventory's text. */
export async function laptop(name: string, edit: (yaml: string) => string = (yaml) => yaml): Promise<Laptop> {
  const lab = await theLab()
  const home = join(lab.directory, 'laptops', name)
  mkdirSync(home, { recursive: true })
  const inventory = join(home, 'inventory.yaml')
  writeFileSync(inventory, edit(await lab.inventoryYaml()))
  return { home, inventory }
}

/** Starts the command line as a process of its own, in a process group of its own. */
export function startTwonode({ home }: Laptop, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [join(ROOT, 'dist/twonode.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      TWONODE_CACHE: process.env['TWONODE_CACHE'] ?? join(homedir(), '.cache/twonode'),
      ...env,
    },
  })
}

/** Waits for a started command and parses what it said. Kills it when the time is up. */
export async function finished(child: ChildProcess, timeoutMs = CONVERGE_TIMEOUT_MS): Promise<Run> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const timer = setTimeout(() => killGroup(child), timeoutMs)
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? -1)))
  clearTimeout(timer)
  const events = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Event)
  const summary = events.findLast((event): event is SummaryEvent => event.event === 'summary')
  return { code, events, summary, stdout, stderr }
}

export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // ESRCH: it ended in the meantime.
  }
}

export async function converge(from: Laptop, args: readonly string[] = []): Promise<Run> {
  return await finished(startTwonode(from, ['converge', '-i', from.inventory, '--json', ...args]))
}

/** Converges, and says what went wrong if it did. */
export async function mustConverge(from: Laptop, args: readonly string[] = []): Promise<Run> {
  const run = await converge(from, args)
  expect(run.code, explain(run)).toBe(0)
  return run
}

/** Failed steps and troubles of a run, for an assertion's message. */
export function explain(run: Run): string {
  const bad = run.events.filter((event) => event.event === 'trouble' || (event.event === 'step' && event.status === 'failed'))
  return [`exit ${run.code}`, ...bad.map((event) => JSON.stringify(event)), run.stderr.slice(-4000)].join('\n')
}

export function steps(run: Run, ...statuses: readonly StepEvent['status'][]): StepEvent[] {
  return run.events.filter((event): event is StepEvent => event.event === 'step' && statuses.includes(event.status))
}

/** `h1: task` of each step with one of these statuses. */
export function stepNames(run: Run, ...statuses: readonly StepEvent['status'][]): string[] {
  return steps(run, ...statuses).map((step) => `${step.host}: ${step.task}`)
}

export function changedCounts(run: Run): Record<string, number> {
  return Object.fromEntries(Object.entries(run.summary?.hosts ?? {}).map(([host, counts]) => [host, counts.changed]))
}

/** Runs a command in a host and gives its output; a non-zero exit fails the test with its words. */
export async function inHost(host: HostName, argv: readonly string[], timeoutMs = 60_000): Promise<string> {
  const ended = await (await theLab()).exec(host, argv, { timeoutMs })
  expect(ended.code, `${host}: ${argv.join(' ')}: ${ended.stderr}${ended.stdout}`).toBe(0)
  return ended.stdout.trim()
}

export async function psql(host: HostName, text: string, database = 'kine'): Promise<string> {
  return await inHost(host, ['runuser', '-u', 'postgres', '--', 'psql', '-qtAX', '-v', 'ON_ERROR_STOP=1', database, '-c', text])
}

export async function kubectl(host: HostName, args: readonly string[]): Promise<string> {
  return await inHost(host, ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=20s', ...args], 30_000)
}

/** Polls until `check` holds; the deadline's failure says what was seen last. */
export async function eventually(what: string, check: () => Promise<true | string>, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let seen: string
  do {
    const result = await check().catch((error: unknown) => String(error))
    if (result === true) return
    seen = result
    await delay(500)
  } while (Date.now() < deadline)
  expect.fail(`${what}: not within ${timeoutMs / 1000} s; last seen: ${seen}`)
}

/** Bare hosts, as Debian installs them. */
export async function bareHosts(): Promise<Lab> {
  const lab = await theLab()
  await lab.reset()
  return lab
}

/** A healthy pair. Converged once a suite, restored from a snapshot afterwards. */
export async function convergedPair(): Promise<{ lab: Lab; from: Laptop }> {
  const lab = await theLab()
  const from = await laptop('first')
  const { snapshots } = await lab.status()
  if (snapshots.includes(`converged-${bundle()}`)) {
    await lab.reset(`converged-${bundle()}`)
  } else {
    await lab.reset()
    await mustConverge(from)
    await lab.snapshot(`converged-${bundle()}`)
  }
  await healthy(from)
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
  await eventually(
    'the pair is healthy',
    async () => {
      const run = await finished(startTwonode(from, ['verify', '-i', from.inventory, '--json']), 60_000)
      return run.code === 0 ? true : explain(run)
    },
    timeoutMs,
  )
}

/** Names the snapshot by what made it: a suite after a change of code converges anew. */
function bundle(): string {
  const manifest = readFileSync(join(ROOT, 'dist/bundle/manifest.json'), 'utf8')
  return (JSON.parse(manifest) as { sha256: string }).sha256.slice(0, 12)
}
