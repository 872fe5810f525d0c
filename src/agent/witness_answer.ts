import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { WitnessSettings } from '../core/site.ts'
import { claimText } from '../pair/claim.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import type { WitnessRead } from '../pair/witness.ts'
import { openWitness } from '../witness/open_witness.ts'
import type { AgentParts } from './assemble.ts'
import type { WitnessStanding } from './claims.ts'

type Say = (data: JsonObject) => void

/**
 * `twonode witness show` of a host: what the third party says now, asked anew as an agent that starts asks
 * it: an HTTP server has to pass its trial, on an object beside the claim. The claim is read and no more.
 */
export async function answerWitness(
  { core, site, clock }: Pick<AgentParts, 'core' | 'site' | 'clock'>,
  _: JsonObject,
  say: Say,
): Promise<void> {
  const { name, witness: settings } = site.plan.site
  if (settings === null)
    throw new TwonodeError('E_MISSING', 'this site has no witness', {
      hint: '`partition: consistency` and `witness` in the inventory: docs/operations.md.',
    })
  const read = await openWitness(settings, { site: name, secrets: site.secrets }).read()
  const { self, meta } = core.facts()
  const heard = core.witness
  const heardAgoMs = heard === null ? null : clock.now() - heard.at
  const claim = read.kind === 'claim' ? { ...read.claim } : null
  const data = {
    host: self,
    backend: settings.kind,
    place: placeOf(settings),
    says: read.kind,
    trouble: read.kind === 'silent' ? read.why : null,
    trial: trialOf(settings, read),
    claim,
    heardAgoMs,
    leader: meta?.leader ?? null,
    term: meta?.term ?? null,
    mode: meta?.mode ?? null,
  }
  const lines: Lines = [
    ['witness', `${settings.kind}, ${data.place}`],
    ['it says', saysText(read)],
    ['trial', TRIAL_WORDS[data.trial]],
    ['this host', beliefText(self, meta)],
    ['its agent', heardText(heard, heardAgoMs)],
  ]
  say({ ...data, message: lines.map(([what, text]) => `${what.padEnd(11)}${text}`).join('\n') })
}

type Lines = readonly (readonly [string, string])[]
type Trial = 'passed' | 'not passed' | 'none'

const TRIAL_WORDS: Readonly<Record<Trial, string>> = {
  passed: 'passed: it took two swaps, and refused the two that it had to refuse',
  'not passed': 'not passed: until it is, no host of the site relies on it',
  none: 'none is made of a folder or a program: that it swaps is theirs to keep',
}

function trialOf({ kind }: WitnessSettings, read: WitnessRead): Trial {
  if (kind !== 'http') return 'none'
  return read.kind === 'silent' ? 'not passed' : 'passed'
}

/** Without what may be secret in it. */
function placeOf(settings: WitnessSettings): string {
  switch (settings.kind) {
    case 'http': {
      const { origin, pathname } = new URL(settings.url)
      return `${origin}${pathname}`
    }
    case 'file':
      return settings.directory
    case 'script':
      return settings.command[0] ?? ''
    default:
      throw new Error(`unhandled witness: ${JSON.stringify(settings satisfies never)}`)
  }
}

function saysText(read: WitnessRead): string {
  if (read.kind === 'silent') return `no answer that can be relied on: ${read.why}`
  if (read.kind === 'absent') return 'it keeps no claim of this site: only a pair makes one'
  return `${claimText(read.claim)}, nonce ${read.claim.nonce}`
}

function beliefText(self: string, meta: HostMeta | null): string {
  if (meta === null) return `${self} has no role`
  const part = meta.leader === self ? 'leads' : `follows ${meta.leader}`
  return `${self} ${part}, ${meta.mode}, term ${meta.term}`
}

function heardText(heard: WitnessStanding | null, agoMs: number | null): string {
  if (heard === null || agoMs === null) return 'has not asked it yet'
  const ago = `${Math.round(agoMs / 1000)} s ago`
  return heard.answers ? `heard ${ago}: ${heard.text}` : `had no good answer ${ago}: ${heard.text}`
}
