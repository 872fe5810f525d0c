import { decide } from '../pair/fsm.ts'
import type { Facts } from '../pair/facts.ts'

const MEND_WITNESS =
  'mend the link to the other host, or the way to the witness; or switch that host off and say `twonode promote --force` here: what it acknowledged since is then not in the cluster any more'

/** What an operator can do where a rule waits for one; by the rule's id. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  'no-proof':
    'start the leader again, or `twonode promote --force` here: what the leader acknowledged and this host does not have is then not in the cluster any more; it is kept on the leader, if that comes back',
  paused:
    '`twonode resume` here; if the leader has been silent for over a minute, `twonode promote --force` after it',
  frozen: '`twonode resume` here, when the cause of the changes is found',
  'unproven-wait':
    'start the other host, or `twonode promote --force` here: what the other host acknowledged meanwhile is then not in the cluster any more; it is kept there',
  'claim-missing': MEND_WITNESS,
  'claim-wanted':
    'the other host has won the claim: start it again, or mend the link; `twonode promote --force` here if it is known to be off: what it acknowledged since is then not in the cluster any more',
  'power-off-missing':
    'mend the link to the other host, or the way to its management controller; or switch it off and say `twonode promote --force` here',
  'power-off-wanted':
    'mend the way to the management controller of the other host; or switch that host off and say `twonode promote --force` here: what it acknowledged since is then not in the cluster any more',
  'no-meta':
    'start the other host: it brings hostMeta; or converge the site from a laptop with its inventory',
  'half-copy': 'start the leader again: the copy then goes on',
}

/** The same where a witness decides, and has not answered, or keeps the other host's claim. */
const WITH_WITNESS: Readonly<Record<string, string>> = {
  'go-alone-claimed': MEND_WITNESS,
  'promote-claimed': MEND_WITNESS,
  'unproven-wait':
    'start the other host, or mend the way to the witness: its claim ends the wait if nobody else has won it; or `twonode promote --force` here: what the other host acknowledged meanwhile is then not in the cluster any more; it is kept there',
}

/** What ends the wait of a rule; undefined: nothing waits for a person. */
export function wayOut(rule: string, witness: boolean): string | undefined {
  const waits = rule === 'unproven-reads' ? 'unproven-wait' : rule
  return (witness ? WITH_WITNESS[waits] : undefined) ?? WAYS_OUT[waits]
}

/** What a pause of this host holds up in the role that it has. */
export function pausedText({ self, meta, peer }: Pick<Facts, 'self' | 'meta' | 'peer'>): string {
  if (meta === null) return 'paused: this host has no role, and takes no lead by itself'
  const other = meta.hosts.find(({ name }) => name !== self)?.name ?? 'its peer'
  const isPaused = peer.contact === 'answers' && peer.says.paused
  const held = meta.leader === self ? ofLeader(other, isPaused) : ofFollower(other)
  return `paused: ${held}. Fencing, going alone and pairing go on, until \`twonode resume\` here`
}

function ofLeader(other: string, isPaused: boolean): string {
  const held = `this leader does not hand over to ${other} by itself`
  return isPaused
    ? `${held}; ${other} is paused too, and does not promote if this host dies`
    : `${held}. If it dies, ${other} promotes all the same: to prevent that run \`twonode pause\` on ${other} too`
}

function ofFollower(other: string): string {
  return `this host does not promote itself, whatever becomes of ${other}: if ${other} dies nobody serves, and after a minute only \`twonode promote --force\` lets this host lead`
}

/** What a resumed host does now. */
export function resumedText(facts: Facts): string {
  const { rule, why } = decide(facts)
  const { partition, fencing } = facts.policy
  const way = wayOut(rule, partition === 'consistency' && fencing === undefined)
  return way === undefined ? 'resumed' : `resumed, but ${why} [${rule}]; the way out: ${way}`
}
