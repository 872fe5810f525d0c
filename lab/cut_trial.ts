import { setTimeout as delay } from 'node:timers/promises'
import type { Lab } from './lab.ts'
import { HOST_NAMES, type HostName } from './names.ts'
import { seeded } from './seed.ts'
import {
  converge,
  explain,
  finished,
  killGroup,
  startTwonode,
  type Laptop,
} from './twonode_process.ts'

/** Who dies in the middle of a converge. */
const VICTIMS = ['runner', 'controller', 'power', 'sshd'] as const
type Victim = (typeof VICTIMS)[number]

/** One cut of a first converge at a seeded moment, and the run that finishes it. */
export interface CutTrial {
  readonly seed: number
  readonly victim: Victim
  readonly host: HostName
  /** @unit milliseconds after the start */
  readonly atMs: number
  /** Exit code of the run that was cut. */
  readonly cutCode: number
  /** Exit code of the next one, which must finish. */
  readonly nextCode: number
  /** What a third run changed: nothing may be left. */
  readonly changed: readonly string[]
  /** Temporary files and half-installed packages, one a line; empty when all is well. */
  readonly leftovers: string
  /** What the runs said, for a trial that went wrong. */
  readonly words: string
}

/** True when the next run finished, the one after it had nothing to do, and nothing lies about. */
export function recovered({ nextCode, changed, leftovers }: CutTrial): boolean {
  return nextCode === 0 && changed.length === 0 && leftovers === ''
}

/** Cuts a converge of the lab as it stands, within `withinMs` of its start. */
export async function cutTrial(
  lab: Lab,
  from: Laptop,
  { seed, withinMs }: { seed: number; withinMs: number },
): Promise<CutTrial> {
  const random = seeded(seed)
  const host: HostName = random() < 0.5 ? 'h1' : 'h2'
  const victim = VICTIMS[seed % VICTIMS.length] ?? 'power'
  const atMs = Math.round(500 + random() * withinMs)
  const child = startTwonode(from, ['converge', '-i', from.inventory, '--json'])
  const run = finished(child)
  // The moment is the trial's input, not a wait for a state.
  await delay(atMs)
  if (victim === 'controller') killGroup(child)
  if (victim === 'runner') await killMatching(lab, host, '/opt/twonode/bundle/')
  if (victim === 'sshd') await killMatching(lab, host, 'sshd: ')
  if (victim === 'power') await lab.powerOff(host)
  const cut = await run
  if (victim === 'power') await lab.powerOn(host)
  if (victim === 'sshd') await lab.exec(host, ['systemctl', 'restart', 'ssh.service'])
  // A laptop that died leaves runners that end after their current change, within 20 s of silence.
  const next = await converge(from, ['--lock-timeout', '60s'])
  const third = await converge(from)
  const changed = third.events.flatMap((event) =>
    event.event === 'step' && event.status !== 'ok' && event.status !== 'skipped'
      ? [`${event.host}: ${event.task}: ${event.changes?.map(({ summary }) => summary).join('; ')}`]
      : [],
  )
  const leftovers = (await Promise.all(HOST_NAMES.map((name) => leftoversOf(lab, name)))).join('')
  const words = [`cut: ${explain(cut)}`, `next: ${explain(next)}`, `third: ${explain(third)}`].join(
    '\n',
  )
  return {
    seed,
    victim,
    host,
    atMs,
    cutCode: cut.code,
    nextCode: next.code,
    changed,
    leftovers,
    words,
  }
}

async function killMatching(lab: Lab, host: HostName, part: string): Promise<void> {
  const { stdout } = await lab.exec(host, ['pgrep', '-f', part])
  const pids = stdout
    .trim()
    .split('\n')
    .filter((pid) => pid !== '')
  if (pids.length > 0) await lab.exec(host, ['kill', '-9', ...pids])
}

async function leftoversOf(lab: Lab, host: HostName): Promise<string> {
  const files = await lab.exec(host, [
    'find',
    '/etc',
    '/opt/twonode',
    '/usr/local',
    '/var/lib/twonode',
    '/var/lib/postgresql',
    '-name',
    '.twonode-*',
  ])
  const packages = await lab.exec(host, ['dpkg', '--audit'])
  return `${files.stdout}${packages.stdout}`
}
