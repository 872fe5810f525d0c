import { TwonodeError } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import type { WitnessSettings } from '../core/site.ts'
import type { Witness } from '../pair/witness.ts'
import { FileWitness } from './file.ts'
import { HttpWitness } from './http.ts'
import { ScriptWitness } from './script.ts'

export interface WitnessOf {
  readonly site: string
  /** By the names that the settings use. */
  readonly secrets: ReadonlyMap<string, Secret>
}

/**
 * The witness that a site names. Nothing is asked of it yet.
 *
 * @throws TwonodeError E_SITE_FILE when its token is not there
 */
export function openWitness(settings: WitnessSettings, { site, secrets }: WitnessOf): Witness {
  switch (settings.kind) {
    case 'http': {
      const { url, ca, timeoutMs } = settings
      const id = settings.token?.$secret
      const token = id === undefined ? null : secrets.get(id)
      if (token === undefined)
        throw new TwonodeError('E_SITE_FILE', "the witness' token is not among this host's secrets")
      return new HttpWitness({ url, ca, token, timeoutMs }, site)
    }
    case 'file':
      return new FileWitness({ ...settings, site })
    case 'script':
      return new ScriptWitness({ ...settings, site })
    default:
      throw new Error(`unhandled witness: ${JSON.stringify(settings satisfies never)}`)
  }
}
