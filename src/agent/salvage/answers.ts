import { join } from 'node:path'
import { TwonodeError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { AgentParts } from '../assemble.ts'

/** Where a host keeps what its losing branches had. */
export function salvageDirectory({ stateDirectory }: { readonly stateDirectory: string }): string {
  return join(stateDirectory, 'salvage')
}

/** What an operator may have done with a salvage. */
const DEEDS = ['replayed', 'discarded'] as const

/** `twonode salvage` asks whose host this is, and has the agent write down what it did. */
export async function answerSalvage(
  {
    site,
    journal,
  }: Pick<AgentParts, 'site'> & { readonly journal: Pick<AgentParts['journal'], 'note'> },
  options: JsonObject,
  say: (data: JsonObject) => void,
): Promise<void> {
  const { action, name, what, words } = options
  if (action === 'where') {
    const { name: siteName } = site.plan.site
    return say({ site: siteName, host: site.host, directory: salvageDirectory(site.plan.site) })
  }
  const deed = DEEDS.find((one) => one === what)
  if (
    action !== 'tell' ||
    deed === undefined ||
    typeof name !== 'string' ||
    typeof words !== 'string'
  )
    throw new TwonodeError('E_USAGE', 'of a salvage is asked where it is, or told what was done')
  journal.note({ kind: 'salvage', what: deed, name, words })
  say({ told: true })
}
