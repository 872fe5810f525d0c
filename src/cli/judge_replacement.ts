import { messageOf, TwonodeError } from '../core/errors.ts'
import { isHostName, type Mode, type Site, sidesOf } from '../core/site.ts'
import { type HostMeta, parseHostMeta } from '../pair/host_meta.ts'
import type { InventorySite } from '../plan/inventory.ts'
import { didYouMean } from '../plan/nearest.ts'

/** Who takes whose place, and who stays. */
export interface Replacement {
  readonly site: Site
  /** Takes the place: a host of the inventory. It may have the name of the old one. */
  readonly host: string
  readonly address: string
  /** Leaves its place. */
  readonly old: string
  readonly survivor: string
}

/** What a host's agent says of itself, as far as a replacement goes by it. */
export interface AgentSays {
  readonly mode: Mode | null
  /** How long its peer has been silent for it: see the facts of the rule table. */
  readonly peer: string
  readonly settled: string
  readonly promotable: boolean
  readonly stream: string
}

/** What a look at one host has shown. */
export interface HostSight {
  /** Text of its hostMeta; null: it has none. */
  readonly hostMeta: string | null
  /** Null: no agent answers there. */
  readonly agent: AgentSays | null
  /** Rows of kine's table; null: there is no such table, or nobody could ask. */
  readonly kineRows: number | null
}

export interface Sight {
  readonly survivor: HostSight
  readonly newcomer: HostSight
}

export type Verdict =
  /** The survivor's agent is to be asked. `old` is the name by which it knows the one that leaves. */
  | { readonly kind: 'ask'; readonly old: string; readonly term: number }
  /** The pair has taken it in: it has only to be converged. */
  | { readonly kind: 'accepted' }
  /** It is one of a whole pair already. */
  | { readonly kind: 'member'; readonly term: number }
  /** What an agent brings about by itself within seconds. */
  | { readonly kind: 'later'; readonly what: string }
  | { readonly kind: 'refused'; readonly error: TwonodeError }

/**
 * Whom the command line means, by the inventory.
 *
 * @throws TwonodeError E_USAGE for names that make no replacement
 */
export function replacementOf(
  sites: readonly InventorySite[],
  { host, old }: { readonly host: string; readonly old: string },
): Replacement {
  const found = sites.find(({ hosts }) => hosts.some(({ name }) => name === host))
  if (found === undefined) {
    const known = sites.flatMap(({ hosts }) => hosts.map(({ name }) => name))
    throw new TwonodeError('E_USAGE', `--host: there is no host ${host} in the inventory`, {
      hint: `${didYouMean(host, known)} The new host stands in the inventory, in the place of the old one.`,
    })
  }
  const { site } = found
  const { own: newcomer, peer: survivor } = sidesOf(site, host)
  if (old === survivor.name)
    throw new TwonodeError('E_USAGE', `--for: ${old} is the host that stays beside ${host}`, {
      hint: 'Name the host that is gone; the inventory has the new one in its place.',
    })
  if (!isHostName(old))
    throw new TwonodeError('E_USAGE', `--for: ${JSON.stringify(old)} is no name of a host`)
  const elsewhere = sites.find(
    (other) => other !== found && other.hosts.some(({ name }) => name === old),
  )
  if (elsewhere !== undefined)
    throw new TwonodeError(
      'E_USAGE',
      `--for: ${old} is a host of site ${elsewhere.site.name}, and ${host} of site ${site.name}`,
    )
  return { site, host, address: newcomer.address, old, survivor: survivor.name }
}

/** Whether it may begin, or go on (B10). Pure. */
export function judgeReplacement(replacement: Replacement, { survivor, newcomer }: Sight): Verdict {
  const { site, host, old } = replacement
  const pair = metaOf(replacement.survivor, site, survivor)
  if (pair instanceof TwonodeError) return { kind: 'refused', error: pair }
  if (pair === null)
    return refused(
      `${replacement.survivor} has no hostMeta: there is no pair in which a host could be replaced`,
      'Converge both hosts: `twonode converge`.',
    )
  const other = pair.hosts.find(({ name }) => name !== replacement.survivor)
  if (other === undefined || (other.name !== old && other.name !== host))
    return refused(
      `the pair is ${pair.hosts.map(({ name }) => name).join(' and ')}, and has no ${old}`,
      `Name the host that is gone: --for ${other?.name ?? ''}`,
    )
  const theirs = metaOf(host, site, newcomer)
  if (theirs instanceof TwonodeError) return { kind: 'refused', error: theirs }
  if (other.name === host && other.address === replacement.address) {
    if (theirs !== null && isWhole(pair, survivor)) return { kind: 'member', term: pair.term }
    // Under the old one's name only its hostMeta tells that it was taken in, or never went away.
    if (theirs !== null || host !== old) return { kind: 'accepted' }
  }
  const stranger = theirs === null ? strangersData(host, newcomer) : undefined
  if (stranger !== undefined) return stranger
  return mayAsk(replacement, { pair, agent: survivor.agent, old: other.name })
}

function isWhole({ mode }: HostMeta, { agent }: HostSight): boolean {
  return mode === 'paired' && agent?.peer === 'answers'
}

function mayAsk(
  { survivor }: Replacement,
  { pair, agent, old }: { pair: HostMeta; agent: AgentSays | null; old: string },
): Verdict {
  if (pair.leader !== survivor)
    return refused(
      `${survivor} follows ${pair.leader}: only a leader takes another host in`,
      `If ${pair.leader} is gone for good and ${survivor} could not take over by itself: \`twonode promote --force\` on ${survivor}, then this again. \`twonode status\` there says why it could not.`,
    )
  if (agent === null)
    return refused(
      `no agent answers on ${survivor}, and only it may take another host in`,
      'Look at `systemctl status twonode-agent` there.',
    )
  if (agent.peer === 'answers')
    return refused(
      `${old} answers ${survivor}: a host is replaced when it is silent for good (B10)`,
      `Power ${old} off, for it must never come back as it was; ${survivor} goes on alone within seconds. A host that lives heals by itself.`,
    )
  const what = waitsFor(survivor, old, agent)
  return what === undefined ? { kind: 'ask', old, term: pair.term } : { kind: 'later', what }
}

function waitsFor(survivor: string, old: string, agent: AgentSays): string | undefined {
  if (agent.peer === 'missed') return `${survivor} to know that ${old} is silent`
  if (agent.mode !== 'alone') return `${survivor} to go on without ${old}`
  return agent.settled === 'yes' ? undefined : `${survivor} to settle as a leader that is alone`
}

/** Null: it has none. */
function metaOf(name: string, site: Site, { hostMeta }: HostSight): HostMeta | null | TwonodeError {
  if (hostMeta === null) return null
  try {
    const meta = parseHostMeta(hostMeta)
    if (meta.site === site.name) return meta
    return error(
      `${name} is a host of site ${meta.site}, not of ${site.name}`,
      `Is ${name} the right machine? Reinstall it, or remove ${site.stateDirectory} and its PostgreSQL cluster, if you are sure.`,
    )
  } catch (cause) {
    return error(
      `hostMeta of ${name} can not be read: ${messageOf(cause)}`,
      `Look at ${site.stateDirectory}/host-meta.yaml there.`,
    )
  }
}

/** Somebody's Kubernetes: it would be moved aside for the copy, which nobody has asked for. */
function strangersData(name: string, { kineRows }: HostSight): Verdict | undefined {
  if (kineRows === null || kineRows === 0) return undefined
  return refused(
    `${name} has no hostMeta, and a table of kine with ${kineRows} rows: it belongs to another pair, or did`,
    `Is ${name} the right machine? Reinstall it; or, if its data are worth nothing, drop that database: \`runuser -u postgres -- dropdb --force kine\`.`,
  )
}

/** What a pair still lacks, by its hosts' own words; undefined: it is whole again. */
export function stillMissing(
  { host, survivor: leader }: Replacement,
  { survivor, newcomer }: Sight,
): string | undefined {
  const pair = parsed(survivor)
  const theirs = parsed(newcomer)
  if (survivor.agent === null) return `no agent answers on ${leader}`
  if (newcomer.agent === null) return `no agent answers on ${host}`
  if (survivor.agent.peer !== 'answers') return `${leader} does not hear ${host}'s agent`
  if (theirs === null || pair === null || theirs.term < pair.term)
    return `${host} has not taken ${leader}'s hostMeta`
  if (newcomer.agent.settled !== 'yes') return `${host} has not settled as a follower`
  if (pair.mode !== 'paired')
    return survivor.agent.stream === 'caught-up'
      ? `${leader} to record the pair`
      : `${host} has not caught up with ${leader}`
  return newcomer.agent.promotable ? undefined : `${host} has no proof yet that it misses nothing`
}

function parsed({ hostMeta }: HostSight): HostMeta | null {
  try {
    return hostMeta === null ? null : parseHostMeta(hostMeta)
  } catch {
    return null
  }
}

function error(message: string, hint: string): TwonodeError {
  return new TwonodeError('E_REPLACEMENT', message, { hint })
}

function refused(message: string, hint: string): Verdict {
  return { kind: 'refused', error: error(message, hint) }
}
