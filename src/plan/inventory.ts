import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Place } from '../core/place.ts'
import type { SecretRef } from '../core/plan.ts'
import type { Site, SiteHost } from '../core/site.ts'
import { checkSiteRules, type SiteSettings } from './inventory_rules.ts'
import { toHost, toSite } from './inventory_site.ts'
import {
  MANY_SITES_SCHEMA,
  ONE_SITE_SCHEMA,
  SITE_NAME_PATTERN,
  SITE_SCHEMA,
} from './inventory_schema.ts'
import { didYouMean } from './nearest.ts'
import { Problems } from './problems.ts'
import { checkSchema } from './schema_check.ts'
import type { SecretSource } from './secret_source.ts'
import { YamlFile, type Path } from './yaml_file.ts'

export interface Inventory {
  readonly file: string
  readonly sites: ReadonlyMap<string, InventorySite>
}

/** One site with what only the laptop needs to know of it. */
export interface InventorySite {
  readonly site: Site
  readonly hosts: readonly [InventoryHost, InventoryHost]
  /** Variables from the lowest level to the highest; those of hosts name theirs. */
  readonly vars: readonly VarLevel[]
  readonly secrets: ReadonlyMap<string, SecretSource>
  /** File of the inventory: relative paths in it start beside it. */
  readonly file: string
  readonly place: Place
  /** It says by itself who leads first: the first host by default. */
  readonly namesLeader: boolean
  /** Where `path` of each binary is written, and as what. */
  readonly binaryPaths: readonly BinaryPath[]
}

/** A file that the inventory names. */
export interface BinaryPath {
  readonly key: string
  readonly path: string
  readonly place: Place
}

/** A host as ssh sees it. */
export interface InventoryHost extends SiteHost {
  readonly ssh: SshSettings
  readonly runtime: 'bundled' | 'system'
  readonly place: Place
}

/** What is absent is left to `~/.ssh/config` and its defaults. */
interface SshSettings {
  readonly user?: string
  readonly port?: number
  /** As written: relative to the inventory, see `resolvePath`. */
  readonly identityFile?: string
  readonly identityAgent?: string
  readonly proxyJump?: string
  readonly hostKeys: readonly string[]
  /** As written, like `identityFile`. */
  readonly knownHosts?: string
  readonly sudoPassword?: SecretRef
  /** @unit milliseconds */
  readonly connectTimeoutMs: number
}

/** Variables defined at one place. */
export interface VarLevel {
  readonly level: 'playbook' | 'site defaults' | 'site' | 'host' | 'command line'
  /** Present if only this host has them. */
  readonly host?: string
  readonly vars: JsonObject
  placeOf(name: string): Place
}

/** Sections that exist in every site, so that their defaults are filled in. */
const SECTIONS = [
  'liveness',
  'reconcile',
  'replication',
  'salvage',
  'postgres',
  'kine',
  'k3s',
  'bundle',
] as const

/**
 * Reads an inventory.
 *
 * @throws Refusals with every problem found, each with its place
 */
export function parseInventory(text: string, file: string): Inventory {
  const yaml = new YamlFile(text, file)
  const problems = new Problems()
  const raws =
    isObject(yaml.value) && 'sites' in yaml.value
      ? manySites(yaml, problems)
      : oneSite(yaml, problems)
  const sites = new Map<string, InventorySite>()
  for (const raw of raws) {
    const site = readSite(yaml, raw, problems)
    if (site !== undefined) sites.set(raw.name, site)
  }
  refuseSharedHostNames([...sites.values()], problems)
  problems.throwIfAny()
  return { file, sites }
}

/** A site before its check: where its own keys and its defaults stand. */
interface RawSite {
  readonly name: string
  readonly own: JsonObject
  readonly ownPath: Path
  readonly defaults: JsonObject
}

function oneSite(yaml: YamlFile, problems: Problems): readonly RawSite[] {
  const { value } = yaml
  if (!isObject(value)) {
    problems.add(
      'E_INVENTORY',
      'an inventory is a map with `name` and `hosts`, or `sites`',
      yaml.place([]),
    )
    return []
  }
  const { name, ...own } = value
  const shape = ONE_SITE_SCHEMA['properties'] as JsonObject
  const check = { type: 'object', required: ['name'], properties: { name: shape['name'] ?? {} } }
  const before = problems.count
  checkSchema(check, value, [], ({ path, message, hint }) =>
    problems.add('E_INVENTORY', message, yaml.place(path), hint),
  )
  return problems.count > before ? [] : [{ name: name as string, own, ownPath: [], defaults: {} }]
}

function manySites(yaml: YamlFile, problems: Problems): readonly RawSite[] {
  const value = yaml.value as JsonObject
  const before = problems.count
  checkSchema(MANY_SITES_SCHEMA, value, [], ({ path, message, hint, key }) =>
    problems.add('E_INVENTORY', message, key ? yaml.keyPlace(path) : yaml.place(path), hint),
  )
  if (problems.count > before) return []
  const { hosts, ...defaults } = (value['defaults'] ?? {}) as JsonObject
  if (hosts !== undefined)
    problems.add(
      'E_INVENTORY',
      'hosts belong to a site, not to defaults',
      yaml.keyPlace(['defaults', 'hosts']),
    )
  const sites = Object.entries(value['sites'] as JsonObject)
  if (sites.length === 0) problems.add('E_INVENTORY', 'there is no site', yaml.place(['sites']))
  return sites.flatMap(([name, own]) => {
    const ownPath = ['sites', name]
    if (!new RegExp(SITE_NAME_PATTERN).test(name))
      problems.add('E_INVENTORY', `${name} is no name for a site`, yaml.keyPlace(ownPath))
    if (isObject(own)) return [{ name, own: own, ownPath, defaults }]
    problems.add('E_INVENTORY', 'a site is a map with `hosts`', yaml.place(ownPath))
    return []
  })
}

function readSite(yaml: YamlFile, raw: RawSite, problems: Problems): InventorySite | undefined {
  const { vars: defaultVars, ...defaults } = raw.defaults
  const empty = Object.fromEntries(SECTIONS.map((section) => [section, {}]))
  const merged = merge(empty, merge(defaults, raw.own))
  const locate = locator(yaml, raw)
  const before = problems.count
  const checked = checkSchema(
    SITE_SCHEMA,
    { ...merged, ...varsCheck(defaultVars) },
    [],
    (misfit) => {
      const { path, message, hint, key } = misfit
      problems.add('E_INVENTORY', message, locate(path, key), hint)
    },
  ) as JsonObject
  if (problems.count > before) return undefined
  const settings = { ...checked, name: raw.name } as unknown as SiteSettings
  const refuse = (message: string, path: Path, hint?: string) =>
    problems.add('E_INVENTORY', message, locate(path), hint)
  checkSiteRules(settings, refuse)
  if (problems.count > before) return undefined
  const site = toSite(settings, yaml.file)
  return {
    site,
    hosts: settings.hosts.map((_, i) =>
      toHost(settings, i, locate),
    ) as unknown as InventorySite['hosts'],
    vars: varLevels(yaml, raw),
    secrets: yaml.secrets,
    file: yaml.file,
    place: yaml.place(raw.ownPath),
    namesLeader: settings.initialLeader !== undefined,
    binaryPaths: binaryPathsOf(site, locate),
  }
}

function binaryPathsOf({ kine, k3s }: Site, locate: (path: Path) => Place): readonly BinaryPath[] {
  const given = [
    { section: ['kine'], binary: kine.binary },
    { section: ['k3s'], binary: k3s.binary },
    ...k3s.images.map(({ binary }) => ({ section: ['k3s', 'images'], binary })),
  ]
  return given.flatMap(({ section, binary: { path } }) =>
    path === undefined
      ? []
      : [{ key: `${section.join('.')}.path`, path, place: locate([...section, 'path']) }],
  )
}

/** The defaults' own vars are checked in place of the site's when the site has none. */
function varsCheck(defaultVars: Json | undefined): JsonObject {
  return defaultVars === undefined || isObject(defaultVars) ? {} : { vars: defaultVars }
}

/** Place of a path within a merged site: its own key, or else the one in `defaults`. */
function locator(yaml: YamlFile, raw: RawSite): (path: Path, key?: boolean) => Place {
  return (path, key) => {
    const inOwn = path.length === 0 || has(raw.own, path) || !has(raw.defaults, path)
    const full = inOwn ? [...raw.ownPath, ...path] : ['defaults', ...path]
    return key ? yaml.keyPlace(full) : yaml.place(full)
  }
}

function has(value: Json | undefined, path: Path): boolean {
  let at: unknown = value
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return false
    at = (at as Record<string | number, unknown>)[step]
  }
  return true
}

/** Maps are merged key by key, anything else is replaced. */
function merge(low: JsonObject, high: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...low }
  for (const [key, value] of Object.entries(high)) {
    const below = merged[key]
    const both = isObject(below) && isObject(value)
    merged[key] = both ? merge(below, value) : value
  }
  return merged
}

function varLevels(yaml: YamlFile, { own, ownPath, defaults }: RawSite): readonly VarLevel[] {
  const level = (name: VarLevel['level'], vars: Json | undefined, path: Path, host?: string) => ({
    level: name,
    ...(host === undefined ? {} : { host }),
    vars: (vars ?? {}) as JsonObject,
    placeOf: (variable: string) => yaml.keyPlace([...path, 'vars', variable]),
  })
  const hosts = own['hosts'] as readonly JsonObject[]
  return [
    level('site defaults', defaults['vars'], ['defaults']),
    level('site', own['vars'], ownPath),
    ...hosts.map((host, i) =>
      level('host', host['vars'], [...ownPath, 'hosts', i], host['name'] as string),
    ),
  ]
}

function refuseSharedHostNames(sites: readonly InventorySite[], problems: Problems): void {
  const seen = new Map<string, string>()
  for (const { site, hosts } of sites)
    for (const { name, place } of hosts) {
      const other = seen.get(name)
      if (other !== undefined && other !== site.name)
        problems.add(
          'E_INVENTORY',
          `host ${name} is in site ${other} already`,
          place,
          'Host names are unique in an inventory.',
        )
      seen.set(name, site.name)
    }
}

/** The site that a command is about: the one named, or the only one. */
export function chooseSites(
  inventory: Inventory,
  names: readonly string[],
): readonly InventorySite[] {
  const known = [...inventory.sites.keys()]
  const problems = new Problems()
  const start = { file: inventory.file, line: 1, column: 1 }
  const unknown = names.filter((name) => !inventory.sites.has(name))
  for (const name of unknown)
    problems.add('E_INVENTORY', `there is no site ${name}`, start, didYouMean(name, known))
  problems.throwIfAny()
  const all = [...inventory.sites.values()]
  return names.length === 0 ? all : all.filter(({ site }) => names.includes(site.name))
}
