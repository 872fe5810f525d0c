import { messageOf } from '../core/errors.ts'
import type { HelloEvent } from '../core/events.ts'
import type { PairState, Site } from '../core/site.ts'
import { slotName } from '../pair/goals.ts'
import { type HostMeta, pairStateOf, parseHostMeta, winner } from '../pair/host_meta.ts'

export interface Note {
  readonly level: 'info' | 'warning'
  readonly message: string
}

export interface Pairing {
  /** What the run goes by. With a disagreement: good for reading only. */
  readonly pair: PairState
  readonly notes: readonly Note[]
  /** Why nothing may be changed: the agents' rule decides, never the laptop. */
  readonly disagreement: string | undefined
}

interface Held {
  readonly host: string
  readonly meta: HostMeta
}

/**
 * Who leads, from the hostMeta of the hosts that answered. None has one: the inventory's
 * initialLeader, term 1, alone. Else hostMeta decides, and it is remarked that the inventory has another
 * one if somebody may mind.
 */
export function decidePair(
  site: Site,
  hellos: readonly Pick<HelloEvent, 'host' | 'hostMeta'>[],
  { minds }: { readonly minds: boolean } = { minds: true },
): Pairing {
  const held: Held[] = []
  const broken: string[] = []
  for (const { host, hostMeta } of hellos) {
    if (hostMeta === null) continue
    const read = hostMetaOf(site, hostMeta)
    if (typeof read === 'string') broken.push(`hostMeta of ${host} ${read}`)
    else held.push({ host, meta: read })
  }
  const metas = held.map(({ meta }) => meta)
  const first = metas[0]
  const pair =
    first === undefined ? firstPair(site) : pairStateOf(metas.reduce((a, b) => winner(a, b)))
  const disagreement = broken.length > 0 ? broken.join('; ') : disagreementOf(held)
  return {
    pair,
    notes: first === undefined ? [] : remarks(site, pair, { held, minds }),
    disagreement,
  }
}

/** A pair that never was: the slot's name says for whom, in which branch, and which one it is (B3). */
function firstPair({ hosts, initialLeader: leader }: Site): PairState {
  const follower = hosts.find(({ name }) => name !== leader)?.name ?? ''
  const slot = slotName(follower, 1, 1)
  return { leader, term: 1, branch: 1, mode: 'alone', slot, began: 'first', fork: null }
}

/** A host's hostMeta as this site may believe it, or what is wrong with it. */
export function hostMetaOf(site: Site, text: string): HostMeta | string {
  try {
    const meta = parseHostMeta(text)
    if (meta.site !== site.name) return `is of site ${meta.site}, not ${site.name}`
    const names = site.hosts.map(({ name }) => name)
    if (!names.includes(meta.leader))
      return `names ${meta.leader} as leader, which is not in the inventory (${names.join(', ')})`
    return meta
  } catch (error) {
    return `can not be read: ${messageOf(error)}`
  }
}

function disagreementOf(held: readonly Held[]): string | undefined {
  const leaders = new Set(held.map(({ meta }) => meta.leader))
  if (leaders.size < 2) return undefined
  const each = held.map(
    ({ host, meta }) => `${host} says ${meta.leader} (branch ${meta.branch}, term ${meta.term})`,
  )
  return `the hosts disagree about who leads: ${each.join(', ')}`
}

function remarks(
  site: Site,
  pair: PairState,
  { held, minds }: { readonly held: readonly Held[]; readonly minds: boolean },
): readonly Note[] {
  const notes: Note[] = []
  if (minds && pair.leader !== site.initialLeader)
    notes.push({
      level: 'info',
      message: `${pair.leader} leads; the inventory's initialLeader, ${site.initialLeader}, counts for the first converge only`,
    })
  for (const { host, meta } of held)
    if (meta.term !== pair.term || meta.branch !== pair.branch)
      notes.push({
        level: 'warning',
        message: `hostMeta of ${host} is behind: branch ${meta.branch}, term ${meta.term} against branch ${pair.branch}, term ${pair.term}`,
      })
  return notes
}
