import type { JsonObject } from '../core/json.ts'
import type { SecretRef } from '../core/plan.ts'
import type { AllowedChange } from '../core/restriction.ts'
import { fenceAndPromote, type VirtualIp } from '../core/site.ts'
import { canonicalAddress, familyOf, isNetwork, parseEndpoint, sameSubnet } from './addresses.ts'
import type { FencingWords } from './fencing_rules.ts'
import {
  isWithin,
  LIVENESS_RANGE,
  type Range,
  rangeWords,
  RECONCILE_RANGE,
  SCRIPT_INTERVAL_RANGE,
  SCRIPT_TIMEOUT_RANGE,
} from './inventory_ranges.ts'
import { didYouMean } from './nearest.ts'
import { parseDuration } from './units.ts'
import { checkPartition, type WitnessWords } from './witness_rules.ts'
import type { Path } from './yaml_file.ts'

/** A site after its schema: types hold, rules not yet. */
export interface SiteSettings {
  readonly name: string
  readonly hosts: readonly HostSettings[]
  readonly initialLeader?: string
  readonly controlPlaneEndpoint?: string
  readonly virtualIp?: VirtualIp
  readonly gateways: readonly string[]
  readonly gateway?: string
  readonly partition: 'availability' | 'consistency'
  readonly witness?: WitnessWords
  readonly fencing?: FencingWords
  readonly vars?: JsonObject
  readonly liveness: {
    readonly interval: string
    readonly failures: number
    readonly port: number
    readonly script?: string
    readonly scriptInterval: string
    readonly scriptTimeout: string
  }
  readonly reconcile: { readonly interval: string }
  readonly bundle: { readonly allowedSigners: readonly string[] }
  readonly salvage: { readonly keep: number; readonly maxSize: string }
  readonly replication: { readonly acceptLoss: string; readonly maxSlotWalKeepSize: string }
  readonly postgres: {
    readonly version: number
    readonly port: number
    readonly database: string
    readonly dataDirectory?: string
    readonly settings: Readonly<Record<string, string>>
  }
  readonly kine: BinarySettings & { readonly port: number }
  readonly k3s: BinarySettings & {
    readonly images?: Omit<BinarySettings, 'version' | 'mirror'>
    readonly clusterCidr: string
    readonly serviceCidr: string
    readonly config: JsonObject
  }
  readonly stateDirectory: string
  readonly restricted?: {
    readonly enabled: boolean
    readonly allow: readonly AllowedChange[]
    readonly breakGlassLabel: string
  }
}

interface HostSettings {
  readonly name: string
  readonly address: string
  readonly runtime: 'bundled' | 'system'
  readonly postgres?: { readonly version: number }
  readonly vars?: JsonObject
  readonly ssh?: {
    readonly user?: string
    readonly port?: number
    readonly identityFile?: string
    readonly identityAgent?: string
    readonly proxyJump?: string
    readonly hostKeys?: readonly string[]
    readonly knownHosts?: string
    readonly sudoPassword?: SecretRef
    readonly connectTimeout?: string
  }
}

interface BinarySettings {
  readonly version: string
  readonly path?: string
  readonly url?: string
  readonly mirror?: string
  readonly sha256?: string
}

export type Refuse = (message: string, path: Path, hint?: string) => void

/** Ports that k3s takes on every address. */
const K3S_PORTS: readonly number[] = [6443, 10_250]

/** The rules of a pair that a schema can't say. */
export function checkSiteRules(settings: SiteSettings, refuse: Refuse): void {
  checkHosts(settings, refuse)
  checkAddresses(settings, refuse)
  checkVirtualIp(settings, refuse)
  checkTiming(settings, refuse)
  checkScript(settings, refuse)
  checkRange(settings.reconcile.interval, RECONCILE_RANGE, ['reconcile', 'interval'], refuse)
  checkPorts(settings, refuse)
  checkVersions(settings, refuse)
  checkPartition(settings, refuse)
  for (const section of ['kine', 'k3s'] as const) checkBinary(settings[section], [section], refuse)
  checkBinary(settings.k3s.images ?? {}, ['k3s', 'images'], refuse)
  for (const key of ['clusterCidr', 'serviceCidr'] as const)
    if (!isNetwork(settings.k3s[key]))
      refuse(
        `${settings.k3s[key]} is no network`,
        ['k3s', key],
        'Write ADDRESS/PREFIX: "10.42.0.0/16".',
      )
}

function checkHosts({ hosts, initialLeader }: SiteSettings, refuse: Refuse): void {
  if (hosts.length !== 2) refuse(`a site has exactly two hosts, not ${hosts.length}`, ['hosts'])
  const seen = new Set<string>()
  hosts.forEach(({ name }, i) => {
    if (['all', 'leader', 'follower'].includes(name))
      refuse(`a host can not be called ${name}: plays use the word`, ['hosts', i, 'name'])
    if (seen.has(name)) refuse(`host ${name} is in this site already`, ['hosts', i, 'name'])
    seen.add(name)
  })
  if (initialLeader !== undefined && !seen.has(initialLeader))
    refuse(
      `initialLeader ${initialLeader} is no host of this site`,
      ['initialLeader'],
      didYouMean(initialLeader, [...seen]),
    )
}

function checkAddresses(settings: SiteSettings, refuse: Refuse): void {
  const { hosts, gateways, gateway, controlPlaneEndpoint } = settings
  const seen = new Map<string, string>()
  hosts.forEach(({ name, address }, i) => {
    const path = ['hosts', i, 'address']
    const one = canonicalAddress(address)
    if (one === undefined) {
      const meant = splitPrefix(address)
      return refuse(`${address} is no IP address`, path, meant && `Write ${meant.address}.`)
    }
    const other = seen.get(one)
    if (other !== undefined) refuse(`${other} has the address ${address} already`, path)
    seen.set(one, name)
  })
  gateways.forEach((address, i) => {
    if (familyOf(address) === undefined) refuse(`${address} is no IP address`, ['gateways', i])
  })
  if (gateway !== undefined && familyOf(gateway) === undefined)
    refuse(`${gateway} is no IP address`, ['gateway'])
  if (controlPlaneEndpoint !== undefined && parseEndpoint(controlPlaneEndpoint) === undefined)
    refuse(
      `${controlPlaneEndpoint} is no endpoint`,
      ['controlPlaneEndpoint'],
      'Write ADDRESS:PORT: "10.0.0.10:6443".',
    )
}

/** What ADDRESS/PREFIX becomes where an address alone is asked for. */
function splitPrefix(
  text: string,
): { readonly address: string; readonly prefix: string } | undefined {
  const [, address = '', prefix = ''] = /^(.+)\/(\d+)$/.exec(text) ?? []
  return canonicalAddress(address) === undefined ? undefined : { address, prefix }
}

function checkVirtualIp({ hosts, virtualIp }: SiteSettings, refuse: Refuse): void {
  if (virtualIp === undefined) return
  const { address, prefix } = virtualIp
  const path = ['virtualIp', 'address']
  const one = canonicalAddress(address)
  if (one === undefined) {
    const meant = splitPrefix(address)
    const hint =
      meant && `The prefix has a key: address: ${meant.address}, prefix: ${meant.prefix}.`
    return refuse(`${address} is no IP address`, path, hint)
  }
  for (const host of hosts) {
    if (canonicalAddress(host.address) === undefined) continue
    if (canonicalAddress(host.address) === one)
      refuse(`the virtual IP is ${host.name}'s own address`, path)
    else if (!sameSubnet(host.address, address, prefix))
      refuse(
        `the virtual IP ${address}/${prefix} is outside the subnet of ${host.name} (${host.address})`,
        path,
        'It must be in the subnet of both hosts; check `prefix` too.',
      )
  }
}

function checkTiming({ liveness }: SiteSettings, refuse: Refuse): void {
  const { interval, failures } = liveness
  const intervalMs = parseDuration(interval) ?? 0
  if (!checkRange(interval, LIVENESS_RANGE, ['liveness', 'interval'], refuse)) return
  const { fenceMs, promoteMs } = fenceAndPromote({ intervalMs, failures })
  if (fenceMs >= promoteMs)
    refuse('the old leader must be fenced before the new one promotes', ['liveness'])
}

function checkRange(text: string, range: Range, path: Path, refuse: Refuse): boolean {
  if (isWithin(parseDuration(text) ?? 0, range)) return true
  refuse(`${text} is outside ${rangeWords(range)}`, path)
  return false
}

function checkScript({ liveness }: SiteSettings, refuse: Refuse): void {
  const { scriptInterval, scriptTimeout } = liveness
  checkRange(scriptInterval, SCRIPT_INTERVAL_RANGE, ['liveness', 'scriptInterval'], refuse)
  checkRange(scriptTimeout, SCRIPT_TIMEOUT_RANGE, ['liveness', 'scriptTimeout'], refuse)
  if ((parseDuration(scriptTimeout) ?? 0) > (parseDuration(scriptInterval) ?? 0))
    refuse(
      `a run of the script may take longer (${scriptTimeout}) than the time to the next one (${scriptInterval})`,
      ['liveness', 'scriptTimeout'],
    )
}

function checkPorts({ liveness, postgres, kine }: SiteSettings, refuse: Refuse): void {
  const owners = new Map<number, string>([
    ...K3S_PORTS.map((port) => [port, 'k3s'] as const),
    [postgres.port, 'PostgreSQL'],
    [kine.port, 'kine'],
  ])
  const owner = owners.get(liveness.port)
  if (owner !== undefined)
    refuse(`port ${liveness.port} is taken by ${owner}`, ['liveness', 'port'])
}

/** The clusters of two major versions never share a folder. */
function checkVersions({ hosts, postgres }: SiteSettings, refuse: Refuse): void {
  if (postgres.dataDirectory === undefined) return
  hosts.forEach(({ name, postgres: own }, i) => {
    if (own === undefined || own.version === postgres.version) return
    refuse(
      `postgres.dataDirectory is of PostgreSQL ${postgres.version}, and ${name} is to have ${own.version}`,
      ['hosts', i, 'postgres', 'version'],
      'Only where Debian puts the clusters can a host have another major version than the site.',
    )
  })
}

function checkBinary(
  settings: Omit<BinarySettings, 'version'>,
  section: Path,
  refuse: Refuse,
): void {
  const { path, url, sha256, mirror } = settings
  const name = section.join('.')
  if (mirror !== undefined && (path !== undefined || url !== undefined))
    refuse(
      `${name} has both a mirror and ${path === undefined ? 'url' : 'path'}`,
      [...section, 'mirror'],
      'Give one of them.',
    )
  if (path !== undefined && url !== undefined)
    refuse(`${name} has both path and url`, [...section, 'url'], 'Give one of them.')
  if (url !== undefined && sha256 === undefined)
    refuse(
      `${name}.url needs sha256`,
      [...section, 'url'],
      'Add the checksum of what the URL gives.',
    )
}
