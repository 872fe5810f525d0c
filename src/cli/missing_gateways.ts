import { formatPlace } from '../core/place.ts'
import type { ReadySite } from './compile_sites.ts'

/**
 * One warning for all sites that have no gateway to ask: each of their hosts takes it for always up, so
 * that a leader which is cut off from everything goes on alone while its follower takes over. Pure.
 */
export function missingGateways(sites: readonly Pick<ReadySite, 'inventory'>[]): readonly string[] {
  const without = sites
    .map(({ inventory }) => inventory)
    .filter(({ site }) => site.partition === 'availability' && site.gateways.length === 0)
  const [first] = without
  if (first === undefined) return []
  const names = without.map(({ site }) => site.name)
  const shown = names.slice(0, NAMED_AT_MOST).join(', ')
  const more = names.length > NAMED_AT_MOST ? ` and ${names.length - NAMED_AT_MOST} more` : ''
  const have = names.length === 1 ? `site ${shown} has` : `sites ${shown}${more} have`
  return [
    `${formatPlace(first.place)}: ${have} no gateway: a leader that loses its network can not tell that from a dead follower, goes on alone while the other host takes over, and what one of the two acknowledges then is set aside. Add \`gateways: [ADDRESS]\`, of a router that both hosts reach`,
  ]
}

/** The first few of many sites. */
const NAMED_AT_MOST = 4
