import { TwonodeError } from '../core/errors.ts'
import type { HelloEvent } from '../core/events.ts'
import { winner } from '../pair/host_meta.ts'
import { hostMetaOf } from './pair_state.ts'
import type { RunSettings } from './run_state.ts'

/**
 * Why a host can not have its new address by this converge: the follower's can change, one at a time, when
 * both hosts hear of it. Who leads is found by its address, by its follower and by its server's certificate.
 */
export function movedHost(
  {
    site,
    lookOnly,
    usesRoles,
    replaces,
  }: Pick<RunSettings, 'site' | 'lookOnly' | 'usesRoles' | 'replaces'>,
  hellos: readonly HelloEvent[],
  leader: string,
): TwonodeError | undefined {
  if (lookOnly || !usesRoles || replaces !== undefined) return undefined
  const metas = hellos.flatMap(({ hostMeta }) => {
    const meta = hostMeta === null ? '' : hostMetaOf(site, hostMeta)
    return typeof meta === 'string' ? [] : [meta]
  })
  const [first, ...more] = metas
  if (first === undefined) return undefined
  const { hosts } = more.reduce((one, other) => winner(one, other), first)
  const moved = site.hosts.flatMap(({ name, address: to }) => {
    const from = hosts.find((host) => host.name === name)?.address ?? to
    return from === to ? [] : [{ name, from, to }]
  })
  const [one, other] = moved
  if (one === undefined) return undefined
  if (other !== undefined)
    return refusal('both hosts have other addresses than the pair knows', {
      hint: `One after the other, the follower first: leave that of ${leader} in the inventory as it was.`,
    })
  if (one.name === leader)
    return refusal(`${leader} leads, and is to move from ${one.from} to ${one.to}`, {
      hint: `A follower can move: with ${one.from} in the inventory \`twonode switchover\` first.`,
    })
  if (hellos.length > 1) return undefined
  return refusal(`${one.name} moves from ${one.from} to ${one.to}, and only one host takes part`, {
    hint: 'Both have to know the new address: converge without --limit.',
  })
}

function refusal(message: string, more: { readonly hint: string }): TwonodeError {
  return new TwonodeError('E_ROLES', message, more)
}
