import { TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import { isObject, type JsonObject, parseJson } from '../core/json.ts'

/** What the task of verify.yaml registers that has a host ask its witness. */
const WITNESS_SAYS = 'witnessSays'

/**
 * Whether two hosts speak with one witness (A4). A claim has a nonce that no other one ever has, so whoever
 * reads another one reads it elsewhere, or read it before it was swapped: look twice. Undefined: nothing is
 * against it, for a host that has no answer is told otherwise. Pure.
 */
export function differingWitnesses(
  readings: ReadonlyMap<string, JsonObject>,
): TwonodeError | undefined {
  const answered = [...readings].filter(([, { says }]) => says === 'claim' || says === 'absent')
  const [one, two] = answered
  if (one === undefined || two === undefined || nonceOf(one[1]) === nonceOf(two[1]))
    return undefined
  const words = [one, two].map(([host, reading]) => `${host} reads ${claimWords(reading)}`)
  return new TwonodeError(
    'E_UNHEALTHY',
    `the two hosts speak with two witnesses: ${words.join(', ')}; after a cut each could win at its own, and both would lead`,
    {
      hint: "Until it is mended `twonode pause` both. Look at each host where the witness' name leads, what is mounted at its folder, or what its program asks; then `twonode witness show`.",
    },
  )
}

/** What the hosts of a `verify` have read, as far as it was heard. */
export class WitnessReadings {
  readonly #byHost = new Map<string, JsonObject>()

  heard(event: Event): void {
    if (event.event !== 'step' || event.register !== WITNESS_SAYS) return
    const stdout = event.result?.['stdout']
    const reading = typeof stdout === 'string' ? parseJson(stdout) : undefined
    if (isObject(reading)) this.#byHost.set(event.host, reading as JsonObject)
  }

  differ(hosts: readonly string[]): boolean {
    const all = [...this.#byHost].filter(([host]) => hosts.includes(host))
    return differingWitnesses(new Map(all)) !== undefined
  }
}

function nonceOf({ claim }: JsonObject): unknown {
  return isObject(claim) ? claim['nonce'] : null
}

function claimWords({ claim, place }: JsonObject): string {
  const at = typeof place === 'string' ? ` at ${place}` : ''
  if (!isObject(claim)) return `no claim${at}`
  const { mode } = claim
  const [holder, term] = [claim['holder'], claim['term']].map((value) =>
    JSON.stringify(value).replaceAll('"', ''),
  )
  return `${mode === 'alone' ? `${holder} alone` : `a pair led by ${holder}`}, term ${term}${at}`
}
