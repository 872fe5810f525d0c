import type { Lab } from './lab.ts'
import { LabError } from './lab_error.ts'
import { peerOf, type HostName } from './names.ts'
import { arePaired, decisions, metaOf } from './pair_view.ts'
import { switchoverSteps, type SwitchoverSteps } from './switchover_steps.ts'
import { keptTables, kineRow } from './trial_pair.ts'
import { seenWithin } from './wait.ts'
import { lastAck, longestGap } from './writer_log.ts'
import type { Writer } from './writer_process.ts'

/** One switchover, and what it cost. @unit milliseconds */
export interface SwitchoverTrial extends SwitchoverSteps {
  readonly run: number
  /** Who led before. */
  readonly from: HostName
  /** Between two acknowledged writes at the API server of the host that leads from now on. */
  readonly gap: number | undefined
  /** The same at the API server of the host that led before. */
  readonly gapOfOld: number | undefined
  /** From the request to a pair again. */
  readonly paired: number | undefined
  /** From the last revision of before to the marker of the new branch: 1 is no jump. */
  readonly jump: number
  readonly copied: boolean
}

/** Bound of what is waited for; whatever takes longer is reported as not seen. @unit milliseconds */
const PAIRED_TIMEOUT_MS = 60_000

export interface SwitchoverOrders {
  readonly run: number
  /** The leader. */
  readonly from: HostName
  /** One on each API server; they write through all trials. */
  readonly writers: Readonly<Record<HostName, Writer>>
}

/** Asks the leader to hand over under writers on both API servers, and waits for the pair. */
export async function switchoverTrial(
  lab: Lab,
  { run, from, writers }: SwitchoverOrders,
): Promise<SwitchoverTrial> {
  const to = peerOf(from)
  const kept = await keptTables(lab, from)
  const askedAt = Date.now()
  const { code, stderr } = await lab.exec(from, [
    '/usr/local/bin/twonode',
    'switchover',
    '--no-wait',
  ])
  if (code !== 0) throw new LabError(`${from} does not hand over: ${stderr}`, 'Look at its agent.')
  await seenWithin(() => arePaired(lab) && metaOf(lab, to)?.leader === to, {
    timeoutMs: PAIRED_TIMEOUT_MS,
  })
  const pairedAt = Date.now()
  for (const host of [to, from])
    await seenWithin(() => lastAck(writers[host].log()) > pairedAt, {
      timeoutMs: PAIRED_TIMEOUT_MS,
    })
  const meta = metaOf(lab, to)
  const isPair = meta?.leader === to && arePaired(lab)
  return {
    run,
    from,
    ...switchoverSteps(decisions(lab, askedAt), { from, to }),
    gap: longestGap(writers[to].log(), askedAt)?.ms,
    gapOfOld: longestGap(writers[from].log(), askedAt)?.ms,
    paired: isPair ? pairedAt - askedAt : undefined,
    jump: await jumpOf(lab, to),
    copied: (await keptTables(lab, from)) > kept,
  }
}

/** How far the newest branch's marker is from the last revision of the branch before. */
async function jumpOf(lab: Lab, leader: HostName): Promise<number> {
  const meta = metaOf(lab, leader)
  const query = `select id from kine where name = 'twonode/branch/${meta?.branch}'`
  return Number(await kineRow(lab, leader, query)) - (meta?.fork?.max ?? Number.NaN)
}
