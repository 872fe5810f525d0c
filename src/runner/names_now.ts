import { join } from 'node:path'
import type { Observer } from '../core/host.ts'
import { TwonodeError } from '../core/errors.ts'
import type { PairState } from '../core/site.ts'
import { namesOf, type NameSources } from '../engine/names.ts'
import type { Run } from '../engine/ports.ts'
import { compareHostMeta, HOST_META_FILE, pairStateOf, parseHostMeta } from '../pair/host_meta.ts'

/**
 * What a run's steps can name, asked again at each barrier: the lock is free there, and the agents go
 * on deciding. A run that went by the mode of its beginning took the names of the synchronous standbys
 * away from a pair that was paired meanwhile: writes were acknowledged that only one host had.
 */
export function namesAtBarriers(
  host: Observer,
  { pair: begun, ...sources }: NameSources,
): Pick<Run, 'names' | 'namesNow'> {
  const names = namesOf({ ...sources, pair: begun })
  let last = { pair: begun, names }
  return {
    names,
    async namesNow() {
      const pair = await recordedBy(host, { pair: last.pair, sources })
      // The same names stay the same object: what was seen with them holds.
      if (pair !== last.pair) last = { pair, names: namesOf({ ...sources, pair }) }
      return last.names
    },
  }
}

/** @throws TwonodeError E_ROLES when another host leads by now, or nobody can say who does */
async function recordedBy(
  host: Observer,
  { pair, sources }: { readonly pair: PairState; readonly sources: Omit<NameSources, 'pair'> },
): Promise<PairState> {
  const { stateDirectory } = sources.plan.site
  const text = await host.readFile(join(stateDirectory, HOST_META_FILE))
  // The first converge writes it.
  if (text === undefined) return pair
  const meta = parseHostMeta(text)
  // This host may not have heard yet what the other one has recorded.
  if (compareHostMeta(meta, pair) <= 0) return pair
  if (meta.leader === pair.leader) return pairStateOf(meta)
  throw new TwonodeError(
    'E_ROLES',
    `${meta.leader} leads since this run began (branch ${meta.branch}, term ${meta.term}); it went by ${pair.leader}`,
    { hint: 'Run it again: it goes by the roles that it finds.' },
  )
}
