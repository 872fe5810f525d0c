import { type Trouble, TwonodeError } from '../core/errors.ts'
import type { HelloEvent } from '../core/events.ts'
import type { SiteSecretName } from '../core/host.ts'
import type { PairState } from '../core/site.ts'
import { isNewer } from './version.ts'
import { decidePair, type Note } from './pair_state.ts'
import type { RunSettings } from './run_state.ts'

export type Judgement =
  | { readonly kind: 'agreed'; readonly pair: PairState; readonly notes: readonly Note[] }
  | { readonly kind: 'refused'; readonly trouble: Trouble }

const SITE_SECRETS: readonly SiteSecretName[] = ['ca', 'k3s-token']

/** What the hosts say of themselves decides whether the run may go on, and who leads. Pure. */
export function judgeHellos(settings: RunSettings, hellos: readonly HelloEvent[]): Judgement {
  const pairing = decidePair(settings.site, hellos)
  const refusal =
    twoAuthorities(hellos) ??
    (settings.lookOnly || settings.allowDowngrade
      ? undefined
      : downgrade(settings.version, hellos)) ??
    (pairing.disagreement === undefined ? undefined : disagreement(pairing.disagreement)) ??
    unknownRole(settings, hellos)
  if (refusal === undefined) return { kind: 'agreed', pair: pairing.pair, notes: pairing.notes }
  if (!settings.lookOnly) return { kind: 'refused', trouble: refusal.toTrouble() }
  const warning: Note = { level: 'warning', message: refusal.message }
  return { kind: 'agreed', pair: pairing.pair, notes: [...pairing.notes, warning] }
}

function twoAuthorities(hellos: readonly HelloEvent[]): TwonodeError | undefined {
  for (const name of SITE_SECRETS) {
    const held = hellos.filter((hello) => hello.siteSecrets[name] !== null)
    const kinds = new Set(held.map((hello) => hello.siteSecrets[name]))
    if (kinds.size < 2) continue
    const each = held.map((h) => `${h.host} has ${h.siteSecrets[name]?.slice(0, 12) ?? ''}…`)
    return new TwonodeError(
      'E_TWO_AUTHORITIES',
      `the hosts hold different ${name === 'ca' ? 'site CAs' : 'k3s tokens'}: ${each.join(', ')}`,
    )
  }
  return undefined
}

function downgrade(version: string, hellos: readonly HelloEvent[]): TwonodeError | undefined {
  const newer = hellos.find(
    ({ appliedBy }) => appliedBy !== null && isNewer(appliedBy.version, version),
  )
  if (newer?.appliedBy == null) return undefined
  const { version: theirs, by, at } = newer.appliedBy
  return new TwonodeError(
    'E_DOWNGRADE',
    `${newer.host} was converged with twonode ${theirs} by ${by} at ${at}; this is ${version}`,
  )
}

/** Alone, a host without hostMeta may not take the inventory's word: its peer may lead by now. */
function unknownRole(
  { site, check, lookOnly, usesRoles }: RunSettings,
  hellos: readonly HelloEvent[],
): TwonodeError | undefined {
  if (check || lookOnly || !usesRoles) return undefined
  const [alone, ...more] = hellos
  if (alone === undefined || more.length > 0 || alone.hostMeta !== null) return undefined
  const peer = site.hosts.find(({ name }) => name !== alone.host)?.name ?? 'the other host'
  return new TwonodeError(
    'E_ROLES',
    `${alone.host} has no hostMeta, and only ${peer} can tell who leads`,
    { hint: 'Converge both hosts together once; --limit works from then on.' },
  )
}

function disagreement(message: string): TwonodeError {
  return new TwonodeError('E_ROLES', message)
}
