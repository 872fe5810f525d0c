import { join } from 'node:path'
import { EVENT_FORMAT, type HelloEvent } from '../core/events.ts'
import type { Observer } from '../core/host.ts'
import { isObject } from '../core/json.ts'
import type { Site } from '../core/site.ts'
import type { SiteSecrets } from '../host/site_secrets.ts'
import { readFacts } from '../host/facts.ts'
import { ownClusters, servingMajor } from '../../modules/parts/postgres_clusters.ts'

export interface HelloSources {
  readonly host: Observer
  readonly site: Site
  readonly siteSecrets: SiteSecrets
  readonly appliedFile: string
}

/** A runner's first line: what the controller must know before it says go. */
export async function hello(sources: HelloSources): Promise<HelloEvent> {
  const { host, site, siteSecrets, appliedFile } = sources
  const [hostMeta, applied, { ca, 'k3s-token': token }, clusters] = await Promise.all([
    host.readFile(join(site.stateDirectory, 'host-meta.yaml')),
    host.readFile(appliedFile),
    siteSecrets.fingerprints(),
    ownClusters(host),
  ])
  const serving = servingMajor(clusters)
  return {
    event: 'hello',
    format: EVENT_FORMAT,
    host: host.name,
    pid: process.pid,
    hostMeta: hostMeta ?? null,
    siteSecrets: { ca: ca ?? null, 'k3s-token': token ?? null },
    appliedBy: appliedBy(applied),
    facts: readFacts(),
    ...(serving === undefined ? {} : { postgresMajor: serving }),
    clockMs: host.now(),
  }
}

/** A record that can't be read is as good as none: it holds back downgrades, and nothing else. */
function appliedBy(text: string | undefined): HelloEvent['appliedBy'] {
  if (text === undefined) return null
  try {
    const record: unknown = JSON.parse(text)
    if (!isObject(record)) return null
    const { version, by, at } = record
    return { version: String(version), by: String(by), at: String(at) }
  } catch {
    return null
  }
}
