import { openLab, removeByName } from '../lab/lab.ts'
import { LabError } from '../lab/lab_error.ts'
import { NEWER_KINE, withNewerKine } from '../lab/newer_kine.ts'
import { progressOnStderr } from '../lab/progress.ts'
import { kubernetesServes } from '../lab/trial_pair.ts'
import { converge, explain, finished, makeLaptop, startTwonode } from '../lab/twonode_process.ts'
import { type Gap, gapsOver, longestGap, type WriterRecord } from '../lab/writer_log.ts'
import { adminCredentials, startWriter, verdict } from '../lab/writer_process.ts'

const LAB_NAME = 'benchup'

/** @unit milliseconds */
const KUBERNETES_TIMEOUT_MS = 180_000
const UPGRADE_TIMEOUT_MS = 20 * 60_000

/** A pause between two acknowledged writes that somebody notices. @unit milliseconds */
const GAP_MS = 1_000

/** One upgrade of both hosts under a writer that comes by the virtual address, as users do. */
export async function benchUpgrade({ json = false }: { json?: boolean }): Promise<void> {
  const lab = await openLab({ name: LAB_NAME, onProgress: progressOnStderr() })
  let seen: {
    readonly switchover: Gap | undefined
    readonly steps: readonly Step[]
    readonly log: readonly WriterRecord[]
  }
  let lost: number
  try {
    await Promise.all([lab.up(), lab.artefacts()])
    await lab.reset()
    const laptop = await makeLaptop(lab, 'bench')
    const first = await converge(laptop)
    if (first.code !== 0) throw new LabError(explain(first), 'Converge the lab by hand and look.')
    await kubernetesServes(lab, KUBERNETES_TIMEOUT_MS)
    const credentials = await adminCredentials(lab, 'h1')
    const name = 'by-the-virtual-address'
    const writer = await startWriter(lab, { name, to: 'virtualIp', credentials })
    const beganAt = Date.now()
    for (const to of ['h2', 'h1']) await mustRun(laptop, ['switchover', '--to', to])
    const switchover = longestGap(writer.log(), beganAt)
    const upgradeAt = Date.now()
    const steps = await mustRun(await withNewerKine(lab, laptop), ['upgrade', '--kine', NEWER_KINE])
    const log = await writer.stop()
    lost = (await verdict(lab, { name, log, credentials }, 'h2')).lost.length
    seen = { switchover, steps, log: log.filter(({ at }) => at >= upgradeAt) }
  } finally {
    await removeByName(LAB_NAME, progressOnStderr())
  }
  const gaps = gapsOver(seen.log, GAP_MS)
  const longest = Math.round(longestGap(seen.log)?.ms ?? Number.NaN)
  const switchover = Math.round(seen.switchover?.ms ?? Number.NaN)
  for (const gap of gaps) process.stderr.write(`${describeGap(gap, seen)}\n`)
  if (json)
    process.stdout.write(
      `${JSON.stringify({ bench: 'upgrade', gaps: gaps.length, longest, switchover, lost })}\n`,
    )
  else
    process.stdout.write(
      `kine upgraded on both hosts\n` +
        `pauses between two acknowledged writes of over ${GAP_MS} ms: ${gaps.length} (bar: 1), longest ${longest} ms\n` +
        `a switchover beside it: ${switchover} ms (bar: the upgrade's longest is at most twice that)\n` +
        `acknowledged writes lost: ${lost}\n`,
    )
  if (!(gaps.length <= 1 && longest <= 2 * switchover && lost === 0)) process.exitCode = 3
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
  from: Awaited<ReturnType<typeof makeLaptop>>,
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
