import { isObject } from '../core/json.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import type { ConvergeOutcome, Engine, Led, Note, Ports } from './ports.ts'

type Told = NonNullable<Parameters<Engine['converge']>[0]['told']>

/** What an agent knows of the histories that are not the pair's any more. */
export interface Aside {
  /** How this host led until it followed; null: it has not since this agent began. */
  readonly led: Led | null
  /** Schemas with tables of other histories; null: no converge has looked yet. */
  readonly kept: readonly string[] | null
}

/** How a host led by this hostMeta, its own. */
export function ledBy({ branch, mode, lastModified }: HostMeta): Led {
  return { branch, mode, since: lastModified }
}

/**
 * Writes a line when a converge has moved the table of another history away: at once, for what follows
 * is a copy, which may be cut, and no later converge knows of the move.
 */
export function setAsideTeller({ led }: Aside, ports: Pick<Ports, 'note'>): Told {
  let why = ''
  return (name, result) => {
    if (name === 'history') why = String(result['why'])
    const { kept, changed } = result
    if (name === 'salvage' && changed === true) ports.note(savedNote(result))
    if (name === 'pruned' && changed === true) ports.note(PRUNED)
    if (name === 'aside' && changed === true && typeof kept === 'string')
      ports.note({ kind: 'set-aside', schema: kept, why, led })
  }
}

/** Old tables have just been dropped. */
const PRUNED: Note = {
  kind: 'salvage',
  what: 'forgotten',
  name: 'of old branches',
  words: 'old tables were dropped: the copy in their place is verified, and nobody needs them',
}

/** What a converge has just saved of a branch, or why it could not. */
function savedNote({ folder, counts, problem }: Readonly<Record<string, unknown>>): Note {
  const name = typeof folder === 'string' ? (folder.split('/').at(-1) ?? '') : 'of this host'
  const spec = isObject(counts) && isObject(counts['spec']) ? Number(counts['spec']['objects']) : 0
  const words = [
    ...(typeof folder === 'string'
      ? [`${spec} objects that somebody changed on this host alone are in ${folder}`]
      : []),
    ...(typeof problem === 'string' ? [problem] : []),
  ]
  return { kind: 'salvage', what: 'saved', name, words: words.join('; ') }
}

/** Schemas with tables of other histories, as role.yaml's task registered them; null: it did not. */
export function keptOf(outcome: ConvergeOutcome): readonly string[] | null {
  if (outcome.kind !== 'done' && outcome.kind !== 'failed') return null
  const kept = outcome.registered?.['kept']
  const rows: unknown = isObject(kept) ? kept['rows'] : undefined
  if (!Array.isArray(rows)) return null
  return rows.filter(isObject).map(({ name }) => String(name))
}
