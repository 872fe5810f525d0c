import type { Credentials } from './kube_api.ts'
import { controllersAt, firstReconcile } from './controllers_probe.ts'
import { failoverTimes, type FailoverTimes } from './failover_times.ts'
import type { Lab } from './lab.ts'
import { peerOf, type HostName } from './names.ts'
import { arePaired, decisions, metaOf } from './pair_view.ts'
import { keptTables } from './trial_pair.ts'
import { seenWithin } from './wait.ts'
import { lastAck } from './writer_log.ts'
import { startWriter, verdict } from './writer_process.ts'

/** One power cut of a leader, what it cost, and how its host came back. */
export interface FailoverTrial extends FailoverTimes {
  readonly run: number
  readonly victim: HostName
  /** Until a Deployment's controller had worked on the survivor. */
  readonly controllers: number | undefined
  /** True if the dead host held the controllers' lock: the slow case. */
  readonly lockWasDead: boolean
  /** From the returned host's agent being up until it follows. */
  readonly returned: number | undefined
  /** It had written what nobody acknowledged, and copied the table (A1): that takes what a copy takes. */
  readonly copied: boolean
  /** From there until the pair is paired again. */
  readonly paired: number | undefined
  readonly lost: number
  readonly regressions: number
}

/** Bounds of what is waited for; whatever takes longer is reported as not seen. @unit milliseconds */
const FAILOVER_TIMEOUT_MS = 40_000
const RETURN_TIMEOUT_MS = 90_000

export interface FailoverOrders {
  readonly run: number
  /** The leader. */
  readonly victim: HostName
  readonly credentials: Credentials
  /** Told what is seen when it is seen, for a person who watches. */
  readonly tell?: (what: string) => void
}

/** Cuts the leader's power under a writer, waits for the failover, and lets the dead host return. */
export async function failoverTrial(
  lab: Lab,
  { run, victim, credentials, tell = () => undefined }: FailoverOrders,
): Promise<FailoverTrial> {
  const survivor = peerOf(victim)
  const name = `failover-${run}`
  const writer = await startWriter(lab, { name, to: survivor, credentials })
  const kept = await keptTables(lab, victim)
  const lockWasDead = (await controllersAt(lab, { credentials, by: survivor })) === victim
  const offAt = Date.now()
  await lab.powerOff(victim)
  tell(`${victim}, the leader, has lost its power`)
  const probe = { name, by: survivor, credentials, timeoutMs: FAILOVER_TIMEOUT_MS }
  const reconciled = firstReconcile(lab, probe)
  if (
    await seenWithin(() => metaOf(lab, survivor)?.leader === survivor, {
      timeoutMs: FAILOVER_TIMEOUT_MS,
    })
  )
    tell(`${survivor} has noticed, and promotes itself`)
  const promotedAt = Date.now()
  if (
    await seenWithin(() => lastAck(writer.log()) > promotedAt, { timeoutMs: FAILOVER_TIMEOUT_MS })
  )
    tell(`${survivor} accepts writes`)
  const controllersMs = await reconciled
  if (controllersMs !== undefined) tell('controllers work on a new Deployment')
  const back = await returnOf(lab, victim)
  if (back.paired !== undefined) tell(`${victim} is back and follows; they are a pair again`)
  const log = await writer.stop()
  const { lost, regressions } = await verdict(lab, { name, log, credentials }, survivor)
  return {
    run,
    victim,
    ...failoverTimes({ offAt, survivor, decisions: decisions(lab, offAt), log }),
    controllers: controllersMs === undefined ? undefined : controllersMs - offAt,
    lockWasDead,
    ...back,
    copied: (await keptTables(lab, victim)) > kept,
    lost: lost.length,
    regressions,
  }
}

/** Gives a dead host its power back, and waits until it is one of a pair again. */
async function returnOf(
  lab: Lab,
  host: HostName,
): Promise<Pick<FailoverTrial, 'returned' | 'paired'>> {
  const onAt = Date.now()
  await lab.powerOn(host)
  const survivor = peerOf(host)
  await seenWithin(() => arePaired(lab), { timeoutMs: RETURN_TIMEOUT_MS })
  const upAt = await agentUpAt(lab, host)
  const since = decisions(lab, onAt)
  const follows = since.find(
    (decision) =>
      decision.host === host &&
      decision.record['kind'] === 'converge' &&
      decision.record['outcome'] === 'done' &&
      // Not one that made it stand still first.
      (decision.record['tags'] as readonly string[]).includes('role'),
  )
  const pairs = since.find(
    ({ host: who, record }) =>
      who === survivor && record['kind'] === 'meta' && record['mode'] === 'paired',
  )
  const after = (at: number | undefined): number | undefined =>
    at === undefined || upAt === undefined ? undefined : Math.max(0, at - upAt)
  return { returned: after(follows?.at), paired: after(pairs?.at) }
}

/** When systemd was told that the host's agent is ready. @unit milliseconds of wall time */
async function agentUpAt(lab: Lab, host: HostName): Promise<number | undefined> {
  const argv = ['systemctl', 'show', '--timestamp=us+utc', '-P', 'ActiveEnterTimestamp']
  const { stdout } = await lab.exec(host, [...argv, 'twonode-agent.service'])
  // `Sat 2026-11-21 17:01:08.123456 UTC`
  const [, day, time] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})/.exec(stdout) ?? []
  return day === undefined ? undefined : Date.parse(`${day}T${time}Z`)
}
