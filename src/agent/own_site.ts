import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { TwonodeError, messageOf } from '../core/errors.ts'
import type { Plan } from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'
import type { SiteHost } from '../core/site.ts'
import { withNewPeer } from '../plan/new_peer.ts'
import { readSite, SECRETS_FILE, SITE_FILE, siteFileText } from '../plan/site_file.ts'
import { writeDurably } from './meta_history.ts'

/** The compiled site that this host keeps, read once and held: a failover parses nothing. */
export interface OwnSite {
  readonly host: string
  /** As the file has it, or as {@link takeIn} has changed it since. */
  readonly plan: Plan
  readonly secrets: ReadonlyMap<string, Secret>
  /**
   * Another host is the peer from now on: in the file when it resolves, and in every converge.
   *
   * @throws TwonodeError E_SITE_FILE where the site can not do without the one that is replaced
   */
  takeIn(old: string, newcomer: SiteHost): Promise<void>
  /** A converge from a laptop has left another one since: whoever runs by this one starts anew. */
  isReplaced(): boolean
}

export interface SitePlaces {
  readonly site: string
  readonly secrets: string
}

/** Where both files lie on every host. */
export const SITE_PLACES: SitePlaces = { site: SITE_FILE, secrets: SECRETS_FILE }

/**
 * Reads both files of this host.
 *
 * @throws TwonodeError E_SITE_FILE when one is missing, torn, edited or another host's
 */
export function readOwnSite(host: string, places: SitePlaces = SITE_PLACES): OwnSite {
  const texts = { site: textOf(places.site), secrets: textOf(places.secrets) }
  const { plan, secrets } = readSite(texts, host)
  const held = versionsOf(places)
  let current = plan
  return {
    host,
    secrets,
    get plan() {
      return current
    },
    isReplaced: () => versionsOf(places) !== held,
    takeIn: async (old, newcomer) => {
      const next = withNewPeer(current, old, newcomer)
      if (next !== current) await writeDurably(places.site, siteFileText({ plan: next, secrets }))
      current = next
    },
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = messageOf(cause)
    throw new TwonodeError('E_SITE_FILE', `${path} can not be read: ${why}`, { cause })
  }
}

/** By content for the small one: what a converge rewrites with the same bytes is the same site. */
function versionsOf({ site, secrets }: SitePlaces): string {
  return `${versionOf(site)} ${digestOf(secrets)}`
}

function versionOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? 'none' : [found.ino, found.size, found.mtimeMs].join()
}

function digestOf(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex')
  } catch {
    // A file that is not there, or can't be read, is another one than the one that was.
    return 'none'
  }
}
