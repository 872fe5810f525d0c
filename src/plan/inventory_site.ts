import type { Place } from '../core/place.ts'
import { type Restriction, UNRESTRICTED } from '../core/restriction.ts'
import {
  type ArtifactSetting,
  debianDataDirectory,
  type Endpoint,
  type ImageArchive,
  type PostgresSettings,
  type Site,
} from '../core/site.ts'
import { parseEndpoint } from './addresses.ts'
import { toFencing } from './fencing_rules.ts'
import type { InventoryHost } from './inventory.ts'
import type { SiteSettings } from './inventory_rules.ts'
import { K3S_IMAGES } from './inventory_forms.ts'
import { baseName, resolvePath } from './paths.ts'
import { parseDuration, parseSize } from './units.ts'
import { toWitness } from './witness_rules.ts'
import type { Path } from './yaml_file.ts'

/** Port of the Kubernetes API where the inventory names none. */
const API_PORT = 6443

/** A host of a site whose rules hold, as ssh sees it. */
export function toHost(
  settings: SiteSettings,
  index: number,
  locate: (path: Path) => Place,
): InventoryHost {
  const {
    name,
    address,
    runtime,
    ssh = {},
  } = settings.hosts[index] as SiteSettings['hosts'][number]
  const { connectTimeout = '10s', hostKeys = [], ...rest } = ssh
  const connectTimeoutMs = parseDuration(connectTimeout) ?? 0
  return {
    name,
    address,
    runtime,
    ssh: { ...rest, hostKeys, connectTimeoutMs },
    place: locate(['hosts', index]),
  }
}

/** A site whose rules hold, in the units that everything behind the inventory uses. */
export function toSite(settings: SiteSettings, file: string): Site {
  const { name, liveness, reconcile, replication, postgres, kine, k3s, hosts } = settings
  const [first, second] = hosts.map((host) => ({ name: host.name, address: host.address }))
  const gateways = [
    ...settings.gateways,
    ...(settings.gateway === undefined ? [] : [settings.gateway]),
  ]
  return {
    name,
    hosts: [first, second] as unknown as Site['hosts'],
    initialLeader: settings.initialLeader ?? first?.name ?? '',
    controlPlaneEndpoint: endpointOf(settings),
    virtualIp: settings.virtualIp ?? null,
    gateways: [...new Set(gateways)],
    partition: settings.partition,
    witness: toWitness(settings),
    fencing: toFencing(settings),
    liveness: {
      intervalMs: parseDuration(liveness.interval) ?? 0,
      failures: liveness.failures,
      port: liveness.port,
      script: liveness.script ?? null,
      scriptIntervalMs: parseDuration(liveness.scriptInterval) ?? 0,
      scriptTimeoutMs: parseDuration(liveness.scriptTimeout) ?? 0,
    },
    reconcile: { intervalMs: parseDuration(reconcile.interval) ?? 0 },
    replication: {
      acceptLossBytes: parseSize(replication.acceptLoss) ?? 0,
      maxSlotWalKeepMb: Math.round((parseSize(replication.maxSlotWalKeepSize) ?? 0) / 1024 ** 2),
    },
    salvage: {
      keep: settings.salvage.keep,
      maxSizeMb: Math.max(1, Math.round((parseSize(settings.salvage.maxSize) ?? 0) / 1024 ** 2)),
    },
    postgres: {
      ...postgres,
      dataDirectory: postgres.dataDirectory ?? debianDataDirectory(postgres.version),
      ...ownVersions(settings),
    },
    kine: {
      version: kine.version,
      ...mirrorOf(kine),
      port: kine.port,
      binary: binaryOf(kine, file),
    },
    k3s: {
      version: k3s.version,
      ...mirrorOf(k3s),
      binary: binaryOf(k3s, file),
      images: imagesOf(k3s, file),
      clusterCidr: k3s.clusterCidr,
      serviceCidr: k3s.serviceCidr,
      config: k3s.config,
    },
    stateDirectory: settings.stateDirectory,
    restricted: restrictionOf(settings),
    bundle: settings.bundle,
  }
}

/** Of hosts that the inventory gives another version than the site's. */
function ownVersions({ hosts, postgres }: SiteSettings): Pick<PostgresSettings, 'versions'> {
  const other = hosts.flatMap(({ name, postgres: own }) =>
    own === undefined || own.version === postgres.version ? [] : [[name, own.version] as const],
  )
  return other.length === 0 ? {} : { versions: Object.fromEntries(other) }
}

function restrictionOf({ restricted }: SiteSettings): Restriction {
  if (restricted === undefined) return UNRESTRICTED
  const { enabled, ...rest } = restricted
  return { use: enabled ? 'while-alone' : 'removed', ...rest }
}

function endpointOf(settings: SiteSettings): Endpoint {
  const { controlPlaneEndpoint, virtualIp, hosts, initialLeader } = settings
  if (controlPlaneEndpoint !== undefined)
    return parseEndpoint(controlPlaneEndpoint) ?? { address: '', port: 0 }
  const leader = hosts.find((host) => host.name === initialLeader) ?? hosts[0]
  return { address: virtualIp?.address ?? leader?.address ?? '', port: API_PORT }
}

/** k3s' own archive has the release's name, another one its file's. */
function imagesOf({ images }: SiteSettings['k3s'], file: string): readonly ImageArchive[] {
  if (images === undefined) return []
  const { path, url } = images
  const name = baseName(path ?? (url === undefined ? K3S_IMAGES : new URL(url).pathname))
  return [{ name, binary: binaryOf(images, file) }]
}

function mirrorOf({ mirror }: { readonly mirror?: string }): { readonly mirror?: string } {
  return mirror === undefined ? {} : { mirror }
}

function binaryOf({ path, url, sha256 }: ArtifactSetting, file: string): ArtifactSetting {
  return {
    ...(path === undefined ? {} : { path: resolvePath(file, path) }),
    ...(url === undefined ? {} : { url }),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
}
