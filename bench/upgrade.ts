import { openLab, removeByName, type Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab_error.ts'
import { HOST_NAMES } from '../lab/names.ts'
import { withNewerK3s } from '../lab/newer_k3s.ts'
import { NEWER_KINE, withNewerKine } from '../lab/newer_kine.ts'
import { offerNewerPackages } from '../lab/newer_packages.ts'
import { NEWER_POSTGRES, withNewerPostgres } from '../lab/newer_postgres.ts'
import { progressOnStderr } from '../lab/progress.ts'
import {
  converge,
  explain,
  finished,
  makeLaptop,
  startTwonode,
  type Laptop,
} from '../lab/twonode_process.ts'
import { type Gap, gapsOver, longestGap, type WriterRecord } from '../lab/writer_log.ts'
import { adminCredentials, startWriter, verdict } from '../lab/writer_process.ts'
import { readyPair } from './ready_pair.ts'

const LAB_NAME = 'benchup'

const SNAPSHOT = 'paired'

/** @unit milliseconds */
const UPGRADE_TIMEOUT_MS = 20 * 60_000

/** A pause between two acknowledged writes that somebody notices. @unit milliseconds */
const GAP_MS = 1_000

/** What can be upgraded, each on the pair as it was converged. */
export const UPGRADE_KINDS = [
  'kine',
  'k3s',
  'reboot',
  'packages',
  'postgres-minor',
  'postgres-major',
] as const
export type UpgradeKind = (typeof UPGRADE_KINDS)[number]

export interface UpgradeOptions {
  readonly kind: readonly UpgradeKind[]
  readonly json?: boolean
}

/** Upgrades of both hosts under a writer that comes by the virtual address, as users do. */
export async function benchUpgrade({ kind, json = false }: UpgradeOptions): Promise<void> {
  const lab = await openLab({ name: LAB_NAME, onProgress: progressOnStderr() })
  try {
    await Promise.all([lab.up(), lab.artefacts()])
    await lab.reset()
    const laptop = await makeLaptop(lab, 'bench')
    const first = await converge(laptop)
    if (first.code !== 0) throw new LabError(explain(first), 'Converge the lab by hand and look.')
    await lab.snapshot(SNAPSHOT)
    for (const [index, one] of kind.entries()) {
      if (index > 0) await lab.reset(SNAPSHOT)
      if (!print(one, await upgraded(lab, laptop, one), json)) process.exitCode = 3
    }
  } finally {
    await removeByName(LAB_NAME, progressOnStderr())
  }
}

interface Seen {
  readonly switchover: Gap | undefined
  readonly steps: readonly Step[]
  readonly log: readonly WriterRecord[]
  readonly lost: number
}

async function upgraded(lab: Lab, laptop: Laptop, kind: UpgradeKind): Promise<Seen> {
  const leader = await readyPair(lab)
  const other = leader === 'h1' ? 'h2' : 'h1'
  const credentials = await adminCredentials(lab, leader)
  const name = 'by-the-virtual-address'
  const writer = await startWriter(lab, { name, to: 'virtualIp', credentials })
  const beganAt = Date.now()
  for (const to of [other, leader]) await mustRun(laptop, ['switchover', '--to', to])
  const switchover = longestGap(writer.log(), beganAt)
  const { from, words } = await prepared(lab, laptop, kind)
  const upgradeAt = Date.now()
  const steps = await mustRun(from, ['upgrade', ...words])
  const log = await writer.stop()
  const { lost } = await verdict(lab, { name, log, credentials }, other)
  return { switchover, steps, log: log.filter(({ at }) => at >= upgradeAt), lost: lost.length }
}

/** What there is to upgrade to, and the words that ask for it. */
async function prepared(
  lab: Lab,
  laptop: Laptop,
  kind: UpgradeKind,
): Promise<{ readonly from: Laptop; readonly words: readonly string[] }> {
  switch (kind) {
    case 'kine':
      return { from: await withNewerKine(lab, laptop), words: ['--kine', NEWER_KINE] }
    case 'k3s': {
      const newer = await withNewerK3s(lab, laptop)
      return { from: newer.laptop, words: ['--k3s', newer.version] }
    }
    case 'reboot':
      // The hosts have booted within the hour; a kernel's package asks so.
      for (const host of HOST_NAMES) await lab.exec(host, ['touch', '/run/reboot-required'])
      return { from: laptop, words: ['--reboot'] }
    case 'packages':
    case 'postgres-minor':
      await offerNewerPackages(lab)
      return { from: laptop, words: [`--${kind}`] }
    case 'postgres-major':
      return { from: withNewerPostgres(laptop), words: [`--${kind}`, String(NEWER_POSTGRES)] }
    default:
      throw new Error(`unhandled kind: ${String(kind satisfies never)}`)
  }
}

/** True if the bars are met. */
function print(kind: UpgradeKind, seen: Seen, json: boolean): boolean {
  const gaps = gapsOver(seen.log, GAP_MS)
  const { lost } = seen
  const longest = Math.round(longestGap(seen.log)?.ms ?? Number.NaN)
  const switchover = Math.round(seen.switchover?.ms ?? Number.NaN)
  for (const gap of gaps) process.stderr.write(`${describeGap(gap, seen)}\n`)
  const numbers = { gaps: gaps.length, longest, switchover, lost }
  process.stdout.write(
    json
      ? `${JSON.stringify({ bench: 'upgrade', kind, ...numbers })}\n`
      : `${kind} on both hosts\n` +
          `pauses between two acknowledged writes of over ${GAP_MS} ms: ${gaps.length} (bar: 1), longest ${longest} ms\n` +
          `a switchover beside it: ${switchover} ms (bar: the upgrade's longest is at most twice that)\n` +
          `acknowledged writes lost: ${lost}\n`,
  )
  return gaps.length <= 1 && longest <= 2 * switchover && lost === 0
}

/** A line that the command printed, and when. @unit milliseconds of wall time */
interface Step {
  readonly at: number
  readonly line: string
}

/** Which step was under way, and what the writer was told meanwhile. */
function describeGap(
  { from, to, ms }: Gap,
  { steps, log }: { readonly steps: readonly Step[]; readonly log: readonly WriterRecord[] },
): string {
  const step = steps.findLast(({ at }) => at <= from)?.line ?? 'the beginning'
  const why = log.flatMap((record) =>
    record.kind === 'unknown' && record.at >= from && record.at <= to ? [record.why] : [],
  )
  return `${Math.round(ms)} ms without an acknowledgement after "${step}": ${why.join('; ') || 'no error'}`
}

async function mustRun(
  from: Laptop,
  [command = '', ...more]: readonly string[],
): Promise<readonly Step[]> {
  const argv = [command, '-i', from.inventory, ...more]
  const child = startTwonode(from, argv)
  const steps: Step[] = []
  child.stdout?.on('data', (text: string | Buffer) => {
    const lines = text.toString().split('\n').filter(Boolean)
    steps.push(...lines.map((line) => ({ at: Date.now(), line })))
    process.stderr.write(text)
  })
  const { code, stderr } = await finished(child, UPGRADE_TIMEOUT_MS)
  if (code !== 0) throw new LabError(`${command}: ${stderr}`, 'Run it by hand on a lab and look.')
  return steps
}
