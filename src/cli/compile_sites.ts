import { join } from 'node:path'
import { Refusals, TwonodeError, messageOf } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import { postgresOf, withVersions } from '../core/site.ts'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'
import { compile, type Compiled } from '../plan/compile.ts'
import { withCustomModules } from '../plan/custom_modules.ts'
import {
  chooseSites,
  type Inventory,
  type InventoryHost,
  type InventorySite,
  parseInventory,
} from '../plan/inventory.ts'
import { didYouMean } from '../plan/nearest.ts'
import { type Files, parsePlaybook, parsePlaybookText, type Playbook } from '../plan/playbook.ts'
import { parseExtraVars } from '../plan/vars.ts'
import { findCustomModules } from './find_custom_modules.ts'
import { withReleases } from './releases.ts'
import type { RunFlags } from './run_flags.ts'
import { locate, secretReader } from './secret_values.ts'
import type { World } from './world.ts'

/** A site ready to run: nothing in it can be refused any more before a host speaks. */
export interface ReadySite {
  readonly inventory: InventorySite
  /** Hosts that take part, in the site's order. */
  readonly participants: readonly InventoryHost[]
  readonly compiled: Compiled
  /** Passwords for sudo from the inventory, by host. */
  readonly sudoPasswords: ReadonlyMap<string, Secret>
}

/** A playbook by its path, or as text that no file holds. */
export type PlaybookSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'text'; readonly text: string; readonly name: string }

type Selection = Pick<RunFlags, 'inventory' | 'sites' | 'limit' | 'extraVars' | 'tags'> & {
  /** Major versions of PostgreSQL by host, in place of the inventory's: what an upgrade finds there. */
  readonly postgres?: ReadonlyMap<string, number>
}

/** The playbook named, or one that comes with the program. */
export function playbookNamed(
  name: string | undefined,
  world: World,
  preset: string,
): PlaybookSource {
  return { kind: 'file', path: name ?? join(world.distribution.playbooks, preset) }
}

/**
 * Reads and compiles everything a run needs.
 *
 * @throws Refusals with all problems of all sites
 */
export async function compileSites(
  source: PlaybookSource,
  selection: Selection,
  world: World,
): Promise<readonly ReadySite[]> {
  const files = filesOf(world)
  const chosen = chooseHosts(selection, files)
  const playbook = readPlaybook(source, files)
  const extraVars = parseExtraVars(selection.extraVars, files)
  const readSecret = secretReader(world)
  const customModules =
    source.kind === 'file' ? await findCustomModules(source.path, registry, world) : []
  const modules = await withCustomModules({ registry, validate }, customModules)
  const hostNames = chosen[0]?.everyHost ?? []
  const { sha256: bundle } = world.distribution.bundle()
  const ready: ChosenSite[] = []
  for (const one of chosen)
    ready.push({ ...one, site: await withReleases(one.site, playbook, world.release) })
  return all(ready, ({ site: written, participants }) => {
    const site = withMajors(written, selection.postgres)
    const compiled = compile({
      site,
      playbook,
      ...modules,
      customModules,
      extraVars,
      files,
      readSecret,
      bundle,
      version: world.distribution.version,
      tags: selection.tags,
      hostNames,
    })
    return {
      inventory: site,
      participants,
      compiled,
      sudoPasswords: sudoPasswords(site, readSecret),
    }
  })
}

/** A version that a host does not have yet is the inventory's. */
function withMajors(
  inventory: InventorySite,
  majors: ReadonlyMap<string, number> = new Map(),
): InventorySite {
  if (majors.size === 0) return inventory
  const { site } = inventory
  const versions = Object.fromEntries(
    site.hosts.map(({ name }) => [name, majors.get(name) ?? postgresOf(site, name).version]),
  )
  return { ...inventory, site: withVersions(site, versions) }
}

/** The laptop's files as the compiler wants them: `~` and the working directory resolved. */
export function filesOf(world: World): Files {
  const guarded = <T>(path: string, read: (path: string) => T): T => {
    try {
      return read(locate(path, world))
    } catch (error) {
      const reason = messageOf(error)
      throw new TwonodeError('E_FILE', `${path} can not be read: ${reason}`, { cause: error })
    }
  }
  return {
    read: (path) => guarded(path, (at) => world.files.read(at)),
    digest: (path) => guarded(path, (at) => world.files.digest(at)),
  }
}

function readInventory(path: string, files: Files): Inventory {
  const text = files.read(path)
  if (text === undefined)
    throw new TwonodeError('E_FILE', `there is no inventory ${path}`, {
      hint: 'Pass -i FILE; twonode init writes one.',
    })
  return parseInventory(text, path)
}

export function readPlaybook(source: PlaybookSource, files: Files): Playbook {
  if (source.kind === 'text') return parsePlaybookText(source.text, source.name, files)
  if (files.read(source.path) === undefined)
    throw new TwonodeError('E_FILE', `there is no playbook ${source.path}`)
  return parsePlaybook(source.path, files)
}

export interface ChosenSite {
  readonly site: InventorySite
  readonly participants: readonly InventoryHost[]
  /** Names of all hosts of the inventory. */
  readonly everyHost: readonly string[]
}

/** Sites and hosts that the command line names; a site without a named host takes no part. */
export function chooseHosts(
  { inventory: path, sites: names, limit }: Pick<Selection, 'inventory' | 'sites' | 'limit'>,
  files: Files,
): readonly ChosenSite[] {
  const inventory = readInventory(path, files)
  const everyHost = [...inventory.sites.values()].flatMap(({ hosts }) => hosts.map((h) => h.name))
  const sites = chooseSites(inventory, names)
  const known = sites.flatMap(({ hosts }) => hosts.map(({ name }) => name))
  const unknown = limit.filter((host) => !known.includes(host))
  if (unknown.length > 0)
    throw new Refusals(
      unknown.map(
        (host) =>
          new TwonodeError('E_USAGE', `--limit: there is no host ${host}`, {
            hint: didYouMean(host, known),
          }),
      ),
    )
  return sites.flatMap((site) => {
    const participants = site.hosts.filter(({ name }) => limit.length === 0 || limit.includes(name))
    return participants.length === 0 ? [] : [{ site, participants, everyHost }]
  })
}

/** Every site is compiled before any refusal is told: a person mends all of them at once. */
function all<T, U>(items: readonly T[], act: (item: T) => U): readonly U[] {
  const done: U[] = []
  const refused: TwonodeError[] = []
  for (const item of items) {
    try {
      done.push(act(item))
    } catch (error) {
      if (error instanceof Refusals) refused.push(...error.all)
      else if (error instanceof TwonodeError) refused.push(error)
      else throw error
    }
  }
  if (refused.length > 0) throw new Refusals(distinct(refused))
  return done
}

/** One mistake in a playbook is the same mistake for each of twenty sites. */
function distinct(errors: readonly TwonodeError[]): readonly TwonodeError[] {
  const byText = new Map(errors.map((e) => [JSON.stringify([e.code, e.message, e.place]), e]))
  return [...byText.values()]
}

function sudoPasswords(
  { hosts, secrets }: InventorySite,
  readSecret: ReturnType<typeof secretReader>,
): ReadonlyMap<string, Secret> {
  const found = new Map<string, Secret>()
  for (const { name, ssh } of hosts) {
    const source = ssh.sudoPassword && secrets.get(ssh.sudoPassword.$secret)
    if (source !== undefined) found.set(name, readSecret(source))
  }
  return found
}
