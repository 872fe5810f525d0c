import type { Credentials } from './kube_api.ts'
import type { Lab } from './lab.ts'
import { peerOf, type HostName } from './names.ts'
import { arePaired, fatalWords, metaOf, partsOf, restarted } from './pair_view.ts'
import { seenWithin } from './wait.ts'
import { lastAck, longestGap } from './writer_log.ts'
import { startWriter, verdict } from './writer_process.ts'

/** One power cut of a follower under its leader's writes, and how the pair came together again. */
export interface FollowerTrial {
  readonly run: number
  readonly victim: HostName
  /** Writes acknowledged in each second before. */
  readonly writesPerSecond: number
  /** Longest time without an acknowledgement, which the follower's death made. @unit milliseconds */
  readonly stall: number | undefined
  /** From power on until the two are a pair. @unit milliseconds */
  readonly paired: number | undefined
  /** Parts of Kubernetes on the leader that are other processes than before, and why. */
  readonly exits: readonly string[]
  readonly lost: number
}

/** Bounds of what is waited for; whatever takes longer is reported as not seen. @unit milliseconds */
const ALONE_TIMEOUT_MS = 20_000
const RETURN_TIMEOUT_MS = 90_000

/** 50 writes a second, the answers' time in it. @unit milliseconds */
const EVERY_MS = 14

export interface FollowerOrders {
  readonly run: number
  readonly leader: HostName
  readonly credentials: Credentials
  /** Writes go on for so long before the power goes. @unit milliseconds */
  readonly writeForMs: number
}

/** Cuts the follower's power under a writer, waits until its leader is alone, and lets it return. */
export async function followerTrial(
  lab: Lab,
  { run, leader, credentials, writeForMs }: FollowerOrders,
): Promise<FollowerTrial> {
  const victim = peerOf(leader)
  const name = `follower-${run}`
  const writer = await startWriter(lab, { name, to: leader, everyMs: EVERY_MS, credentials })
  const parts = partsOf(lab, leader)
  const beganAt = Date.now()
  await seenWithin(() => Date.now() - beganAt >= writeForMs, { timeoutMs: 2 * writeForMs })
  const offAt = Date.now()
  await lab.powerOff(victim)
  await seenWithin(() => metaOf(lab, leader)?.mode === 'alone', { timeoutMs: ALONE_TIMEOUT_MS })
  const aloneAt = Date.now()
  await seenWithin(() => lastAck(writer.log()) > aloneAt, { timeoutMs: ALONE_TIMEOUT_MS })
  const stall = longestGap(writer.log(), offAt)?.ms
  const onAt = Date.now()
  await lab.powerOn(victim)
  const back = await seenWithin(() => arePaired(lab), { timeoutMs: RETURN_TIMEOUT_MS })
  const paired = back ? Date.now() - onAt : undefined
  const log = await writer.stop()
  const gone = restarted(parts, partsOf(lab, leader))
  const before = log.filter(({ kind, at }) => kind === 'ack' && at >= beganAt && at < offAt)
  return {
    run,
    victim,
    writesPerSecond: Math.round((1000 * before.length) / (offAt - beganAt)),
    stall,
    paired,
    exits: gone.length === 0 ? [] : [...gone, ...(await fatalWords(lab, leader, beganAt))],
    lost: (await verdict(lab, { name, log, credentials }, leader)).lost.length,
  }
}
