import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { Event, SummaryEvent } from '../src/core/events.ts'
import { endsWithOthers, killGroup as killByPid } from './command.ts'
import type { Lab } from './lab.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

/** A converge of bare hosts on a busy two-core machine. @unit milliseconds */
const CONVERGE_TIMEOUT_MS = 8 * 60_000

/** How a run of the command line ended, and what it said. */
export interface Run {
  readonly code: number
  readonly events: readonly Event[]
  readonly summary: SummaryEvent | undefined
  readonly stderr: string
  readonly stdout: string
}

/** A laptop: its own home directory and inventory; the runtime's cache is the machine's. */
export interface Laptop {
  readonly home: string
  readonly inventory: string
}

/** Settings of a site in an inventory; an object's own are laid over those that are there. */
export type SiteSettings = Readonly<Record<string, object | string>>

/**
 * A laptop of this name, with an inventory of the lab.
 * @param settings - of the site, beside those that the lab needs.
 */
export async function makeLaptop(
  lab: Lab,
  name: string,
  settings: SiteSettings = {},
): Promise<Laptop> {
  const home = join(lab.directory, 'laptops', name)
  mkdirSync(home, { recursive: true })
  const inventory = join(home, 'inventory.yaml')
  const site = parse(lab.inventoryYaml(await lab.artefacts())) as Record<string, object | string>
  for (const [key, value] of Object.entries(settings))
    site[key] = typeof value === 'object' ? { ...(site[key] as object), ...value } : value
  writeFileSync(inventory, stringify(site))
  return { home, inventory }
}

/** The same laptop with another inventory, in a file of this name: what it has of a site, changed. */
export function withInventory(
  from: Laptop,
  file: string,
  changed: (site: Readonly<Record<string, object>>) => object,
): Laptop {
  const site = parse(readFileSync(from.inventory, 'utf8')) as Record<string, object>
  const inventory = join(from.home, file)
  writeFileSync(inventory, stringify(changed(site)))
  return { ...from, inventory }
}

/** Starts the command line, in a process group of its own. */
export function startTwonode(
  { home }: Laptop,
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcess {
  const child = spawn(process.execPath, [join(ROOT, 'dist/twonode.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      TWONODE_CACHE: process.env['TWONODE_CACHE'] ?? join(homedir(), '.cache/twonode'),
      ...env,
    },
  })
  endsWithOthers(child)
  return child
}

/** Waits for a started command and parses what it said. Kills it when the time is up: code -1. */
export async function finished(child: ChildProcess, timeoutMs = CONVERGE_TIMEOUT_MS): Promise<Run> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const timer = setTimeout(() => killGroup(child), timeoutMs)
  const code = await new Promise<number>((resolve) =>
    child.on('close', (status) => resolve(status ?? -1)),
  )
  clearTimeout(timer)
  const events = stdout
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Event)
  const summary = events.findLast((event): event is SummaryEvent => event.event === 'summary')
  return { code, events, summary, stdout, stderr }
}

/** Kills a started command and what it started. */
export function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null) killByPid(child.pid)
}

/** Runs a converge to its end, events as data. */
export async function converge(from: Laptop, args: readonly string[] = []): Promise<Run> {
  return await finished(startTwonode(from, ['converge', '-i', from.inventory, '--json', ...args]))
}

/** Failed steps and troubles of a run, for a message. */
export function explain(run: Run): string {
  const bad = run.events.filter(
    (event) => event.event === 'trouble' || (event.event === 'step' && event.status === 'failed'),
  )
  return [
    `exit ${run.code}`,
    ...bad.map((event) => JSON.stringify(event)),
    run.stderr.slice(-4000),
  ].join('\n')
}

export function changedCounts(run: Run): Record<string, number> {
  return Object.fromEntries(
    Object.entries(run.summary?.hosts ?? {}).map(([host, counts]) => [host, counts.changed]),
  )
}
