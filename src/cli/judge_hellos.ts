import { type Trouble, TwonodeError } from '../core/errors.ts'
import type { HelloEvent } from '../core/events.ts'
import type { SiteSecretName } from '../core/host.ts'
import type { PairState } from '../core/site.ts'
import { movedHost } from './moved_host.ts'
import { mixedMajors, otherMajor } from './postgres_major.ts'
import { isNewer } from '../core/version.ts'
import { decidePair, hostMetaOf, type Note } from './pair_state.ts'
import type { RunSettings } from './run_state.ts'

export type Judgement =
  | { readonly kind: 'agreed'; readonly pair: PairState; readonly notes: readonly Note[] }
  | { readonly kind: 'refused'; readonly trouble: Trouble }

const SITE_SECRETS: readonly SiteSecretName[] = ['ca', 'k3s-token']

/** What the hosts say of themselves decides whether the run may go on, and who leads. Pure. */
export function judgeHellos(settings: RunSettings, hellos: readonly HelloEvent[]): Judgement {
  // Who only looks has asked who leads, and sees it.
  const minds = settings.namesLeader && !settings.lookOnly
  const pairing = decidePair(settings.site, hellos, { minds })
  const refusal =
    twoAuthorities(hellos) ??
    (settings.lookOnly || settings.allowDowngrade
      ? undefined
      : downgrade(settings.version, hellos)) ??
    (pairing.disagreement === undefined ? undefined : disagreement(pairing.disagreement)) ??
    unknownRole(settings, hellos) ??
    newcomer(settings, hellos) ??
    movedHost(settings, hellos, pairing.pair.leader) ??
    otherMajor(settings, hellos, pairing.pair.leader)
  if (refusal !== undefined && !settings.lookOnly)
    return { kind: 'refused', trouble: refusal.toTrouble() }
  const warnings = [refusal?.message, mixedMajors(hellos)].flatMap((message): readonly Note[] =>
    message === undefined ? [] : [{ level: 'warning', message }],
  )
  return { kind: 'agreed', pair: pairing.pair, notes: [...pairing.notes, ...warnings] }
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
      name === 'ca'
        ? {}
        : {
            hint: 'Of one pair, after `twonode rotate token` with one host away or a run that was cut: run that again, it brings a new one over both. Otherwise these are hosts of two pairs.',
          },
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

/**
 * Another machine in a host's place, under a name of its own or under the old one: the agent that leads
 * takes it in, or nobody does (B10). A converge would only write down what the inventory says.
 */
function newcomer(
  { site, lookOnly, usesRoles, replaces }: RunSettings,
  hellos: readonly HelloEvent[],
): TwonodeError | undefined {
  if (lookOnly || !usesRoles || replaces !== undefined) return undefined
  const members = hellos.flatMap(({ host, hostMeta }) => {
    const meta = hostMeta === null ? '' : hostMetaOf(site, hostMeta)
    return typeof meta === 'string' ? [] : [{ host, meta }]
  })
  const [member] = members
  if (member === undefined) return undefined
  const names = member.meta.hosts.map(({ name }) => name)
  const stranger = site.hosts.find(({ name }) => !names.includes(name))
  const gone = names.find((name) => site.hosts.every((host) => host.name !== name))
  if (stranger !== undefined && gone !== undefined)
    return new TwonodeError(
      'E_ROLES',
      `the pair is ${names.join(' and ')}, and the inventory has ${stranger.name} in the place of ${gone}`,
      { hint: replaceHint(stranger.name, gone) },
    )
  const bare = hellos.find(({ hostMeta }) => hostMeta === null)
  // A first converge that was cut leaves one host without; in its first term there is no pair yet.
  if (bare === undefined || member.meta.term === 1) return undefined
  return new TwonodeError(
    'E_ROLES',
    `${bare.host} has no hostMeta, though ${member.host} has long been in a pair with it: it is another machine, or has lost its disk`,
    { hint: replaceHint(bare.host, bare.host) },
  )
}

function replaceHint(host: string, old: string): string {
  return `\`twonode replace --host ${host} --for ${old}\` has the pair take it in.`
}

function disagreement(message: string): TwonodeError {
  return new TwonodeError('E_ROLES', message)
}
