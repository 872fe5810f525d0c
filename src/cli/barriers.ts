import type { RunCommand, RunState, Turn } from './run_state.ts'
import { changeHost, type HostState, isLive, send, turn } from './run_state.ts'

/**
 * The first play before which hosts wait for each other: right after the first one in which anyone
 * has something to change. A rolling play is waited for itself, or the leader would run beside its
 * follower instead of after it.
 */
export function firstBarrier(state: RunState): number | undefined {
  const pending = state.hosts.flatMap((host) => host.observed?.pending ?? [])
  if (pending.length === 0) return undefined
  const lowest = Math.min(...pending)
  return isRolling(state, lowest) ? lowest : lowest + 1
}

/** Lets every host go on that no longer has to wait; all are judged by the same state. */
export function settleBarriers(state: RunState): Turn {
  if (state.phase !== 'applying' || state.hosts.some(hasFailed)) return turn(state)
  const ready = state.hosts.filter((host) => mayProceed(state, host))
  const commands: RunCommand[] = []
  let next = state
  for (const host of ready) {
    const { waitsBefore: play, peerNews: peerChanged } = host
    if (play === undefined) continue
    commands.push(...send(host, { type: 'proceed', play, peerChanged }))
    next = changeHost(next, host.name, { waitsBefore: undefined, peerNews: false })
  }
  return turn(next, ...commands)
}

export function hasFailed({ exitCode }: HostState): boolean {
  return exitCode !== undefined && exitCode !== 0
}

/** The order of a rolling play: the follower, its gate, and only then the leader. */
function mayProceed(state: RunState, host: HostState): boolean {
  const { waitsBefore: play } = host
  if (play === undefined || !isLive(host)) return false
  // Behind the last play there is nothing to go on to: the runner ends by itself.
  if (!state.settings.plays.some(({ id }) => id === play)) return false
  const peers = state.hosts.filter((h) => h.name !== host.name)
  const isLeader = host.name === state.pair?.leader
  if (isRolling(state, play) && isLeader) return peers.every((peer) => reached(peer) > play)
  return peers.every((peer) => reached(peer) >= play)
}

/** How far a host is known to be: everything before this play is done. Running: not known. */
function reached(host: HostState): number {
  if (host.exitCode === 0) return Number.POSITIVE_INFINITY
  return host.waitsBefore ?? Number.NEGATIVE_INFINITY
}

function isRolling({ settings }: RunState, id: number): boolean {
  return settings.plays.some((play) => play.id === id && play.rolling)
}
