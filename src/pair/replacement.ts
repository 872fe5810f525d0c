import { isHostName } from '../core/site.ts'
import { type Facts, isSilent } from './facts.ts'
import { decide } from './fsm.ts'

/** A host that takes the follower's place. */
export interface Newcomer {
  readonly name: string
  readonly address: string
}

/** What is asked of a leader: this newcomer in the place of that host. */
export interface ReplacementRequest extends Newcomer {
  readonly old: string
}

/** Why a replacement is refused, and what to do next. */
export interface ReplacementRefusal {
  readonly message: string
  readonly hint: string
}

/** Of an IPv4 or IPv6 address in its plain form; nothing else can be said in these characters. */
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7})$/

/**
 * Why a request makes no sense, whatever the hosts are doing. A newcomer with the name of the one that
 * it replaces is new hardware in an old place, and the usual case.
 */
export function unfitNewcomer(
  { self, meta }: Pick<Facts, 'self' | 'meta'>,
  { old, name, address }: ReplacementRequest,
): ReplacementRefusal | null {
  const peer = meta?.hosts.find((host) => host.name !== self)
  // Whoever was cut after it was heard asks again: the newcomer has the place already.
  const again = peer?.name === name && peer.address === address
  if (peer?.name !== old && !again)
    return refusal(
      `${shown(old)} is not the peer of ${self}`,
      `The one to replace is ${peer?.name ?? 'none'}.`,
    )
  if (!isHostName(name))
    return refusal(`${shown(name)} is no host name`, 'Lower-case letters, digits and dashes.')
  if (!ADDRESS.test(address))
    return refusal(`${shown(address)} is no IP address`, 'Hosts reach each other by address.')
  const own = meta?.hosts.find((host) => host.name === self)
  if (name === self || address === own?.address)
    return refusal(
      `${self} leads and stays: ${name === self ? name : address} is its own`,
      'The newcomer needs a name and an address of its own, or those of the host it replaces.',
    )
  return null
}

/** Why the rule `replacement` does not take it up as things are (B10); null: it does. */
export function whyNotReplaced(
  facts: Facts,
  { old, name, address }: ReplacementRequest,
): ReplacementRefusal | null {
  const { rule, why } = decide({ ...facts, asked: { kind: 'replacement', name, address } })
  if (rule === 'replacement') return null
  const { meta, self, peer } = facts
  if (meta !== null && meta.leader !== self)
    return refusal(`${self} follows ${meta.leader}`, `Ask ${meta.leader}: only a leader accepts.`)
  if (!isSilent(peer))
    return refusal(
      peer.contact === 'answers' ? `${old} answers` : `${old} may only have missed a look`,
      `Power ${old} off for good: a host is replaced when it is silent (B10). A follower that lives needs none; it heals by itself.`,
    )
  if (meta?.mode === 'paired')
    return refusal(
      `${self} still waits for ${old} with each write`,
      'Within seconds of the silence it goes alone; `twonode status` says why when it does not.',
    )
  return refusal(
    `${self} is not at rest: ${why} (rule ${rule})`,
    'Wait until `twonode status` says that it is settled, and ask again.',
  )
}

function refusal(message: string, hint: string): ReplacementRefusal {
  return { message, hint }
}

/** What came from elsewhere: short, and on one line. */
function shown(text: string): string {
  return `'${text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 80)}'`
}
