import { type Facts, isSilent } from './facts.ts'
import type { HostMeta } from './host_meta.ts'

/** Why what an operator asked for is not done, and what to do instead. */
export interface RequestRefusal {
  readonly message: string
  readonly hint: string
}

const SOON = 'Ask again in a few seconds; `twonode timeline` says what it waits for.'

/** Why no rule takes up a switchover as things are; null: nothing that has words of its own. */
export function whyNotSwitched(facts: Facts, thoughPaused = false): RequestRefusal | null {
  const { self, meta, peer, stream } = facts
  if (meta === null) return null
  const other = peerOf(self, meta)
  if (meta.leader !== self)
    return {
      message: `this host follows: ${meta.leader} leads`,
      hint: `Run it on ${leaderAt(meta)}; or on a laptop \`twonode switchover -i inventory.yaml\`, which finds the leader.`,
    }
  if (peer.contact !== 'answers')
    return { message: `${other} does not answer`, hint: 'Both hosts must be well to hand over.' }
  if (!peer.says.whole)
    return {
      message: `${other} does not have the whole table of ${self} yet`,
      hint: 'A copy takes about a minute a GiB; `twonode status` says when they are a pair.',
    }
  if (meta.mode === 'alone' || stream === 'lost')
    return { message: `${self} leads alone: ${other} has not everything yet`, hint: SOON }
  if (stream === 'behind')
    return {
      message: `${other} is behind ${self}: nobody could write until it has everything`,
      hint: SOON,
    }
  if (peer.says.paused && !thoughPaused)
    return {
      message: `${other} is paused by an operator`,
      hint: `\`twonode resume\` on ${other} first; \`twonode switchover --though-paused\` if you know why it is.`,
    }
  if (!peer.says.settled || peer.says.proofTerm !== meta.term)
    return { message: `${other} is not ready to lead yet`, hint: SOON }
  return unfitToServe(facts)
}

/** The same of a promotion, which is a follower's. */
export function whyNotPromoted(facts: Facts, force: boolean): RequestRefusal | null {
  const { self, meta, peer, promotable } = facts
  if (meta === null) return null
  const unfit = unfitToServe(facts)
  if (meta.leader === self) {
    if (!facts.impaired && facts.proven) return whyNotAlone(facts, meta)
    if (unfit !== null || force) return unfit
    return {
      message: `${self} leads, and has stopped taking writes: ${peerOf(self, meta)} may lead by now`,
      hint: '`twonode promote --force` lets it lead on, if you know that nobody else does.',
    }
  }
  if (unfit !== null || force) return unfit
  if (peer.contact === 'answers')
    return {
      message: `${meta.leader} leads, and answers`,
      hint: `\`twonode switchover\` on ${meta.leader} hands over.`,
    }
  if (peer.contact !== 'cut' && peer.contact !== 'gone')
    return {
      message: `${meta.leader} leads, and has not been silent for long enough`,
      hint: SOON,
    }
  if (promotable) return null
  return {
    message: `nothing proves that ${self} has everything that ${meta.leader} acknowledged`,
    hint: `Bring ${meta.leader} back; \`twonode promote --force\` leads without what only it has.`,
  }
}

/** A leader that serves, or would if somebody acknowledged its writes. */
function whyNotAlone(facts: Facts, meta: HostMeta): RequestRefusal {
  const { self } = facts
  if (!writesWait(facts, meta))
    return { message: `${self} leads already`, hint: 'Nothing is to be done.' }
  return {
    message: `${self} leads, and its writes wait for ${peerOf(self, meta)}, which is silent`,
    hint: '`twonode promote --force` lets it go on alone, if you know that the other host is off.',
  }
}

function writesWait({ peer, stream }: Facts, { mode }: HostMeta): boolean {
  return mode === 'paired' && stream === 'lost' && isSilent(peer)
}

/** A leader that has stopped, or whose writes wait, and that an operator's word lets lead on. */
export function canBeToldToLeadOn(facts: Facts): boolean {
  const { self, meta, impaired, proven } = facts
  if (meta?.leader !== self || unfitToServe(facts) !== null) return false
  return impaired || !proven || writesWait(facts, meta)
}

function unfitToServe({ self, postgres, disk }: Facts): RequestRefusal | null {
  if (postgres !== 'up')
    return {
      message: `PostgreSQL of ${self} is ${postgres === 'starting' ? 'starting' : 'down'}`,
      hint: "`journalctl -u 'postgresql@*'` says why.",
    }
  return disk === 'full'
    ? { message: `the disk of ${self} is full`, hint: 'Make room on it first.' }
    : null
}

/** With its address: whoever is to go there may know the host by that alone. */
function leaderAt({ hosts, leader }: HostMeta): string {
  const address = hosts.find(({ name }) => name === leader)?.address
  return address === undefined ? leader : `${leader} (${address})`
}

/** The other host's name. */
export function peerOf(self: string, { hosts }: HostMeta): string {
  return hosts.find(({ name }) => name !== self)?.name ?? 'the other host'
}
