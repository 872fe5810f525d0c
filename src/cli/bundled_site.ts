import { createReadStream } from 'node:fs'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { stringify } from 'yaml'
import { checkArchive, type Placed } from '../bundle/archive.ts'
import { type Manifest, unusable } from '../bundle/manifest.ts'
import { fingerprintOf, refuseStranger, signerOf } from '../bundle/signature.ts'
import { TwonodeError } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { PLAN_FORMAT, type Plan } from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'
import type { Site } from '../core/site.ts'
import type { InventorySite } from '../plan/inventory.ts'
import { secretOrigin } from '../plan/secret_source.ts'
import { secretReferences } from '../plan/site_secrets.ts'
import { cacheDirectory } from '../remote/cache_directory.ts'
import { type Architecture, keepRuntime } from '../remote/runtime.ts'
import { type Invocation, textOption } from './command.ts'
import { chooseHosts, compileSites, filesOf, type ReadySite } from './compile_sites.ts'
import type { RunFlags } from './run_flags.ts'
import { locate, secretReader } from './secret_values.ts'
import type { World } from './world.ts'

interface Place {
  readonly flags: RunFlags
  readonly world: World
}

/**
 * Runs with the site of a bundle: the plan is the bundle's, the inventory says how its hosts are reached,
 * and whose bundles are taken. Everything is verified before a connection is opened, on a copy: a stick
 * or a share may change between being verified and being sent.
 * @throws TwonodeError E_SITE_BUNDLE, E_USAGE, E_SECRET
 */
export async function withBundledSite<T>(
  name: string,
  invocation: Invocation,
  place: Place,
  act: (site: ReadySite) => Promise<T>,
): Promise<T> {
  const { flags, world } = place
  if (invocation.arguments.length > 0 || flags.extraVars.length > 0)
    throw new TwonodeError('E_USAGE', 'a bundle is compiled already', {
      hint: 'A playbook and -e go to `twonode bundle`.',
    })
  const path = locate(name, world)
  if (world.files.list(dirname(path))?.includes(basename(path)) !== true)
    throw new TwonodeError('E_FILE', `there is no bundle ${path}`)
  if (world.files.read(`${path}.sig`) === undefined)
    throw unusable(`there is no ${path}.sig`, 'What is not signed is not installed.')
  const folder = await mkdtemp(join(tmpdir(), 'twonode-bundle-'))
  try {
    const copy = join(folder, basename(path))
    await copyFile(`${path}.sig`, `${copy}.sig`)
    await copyFile(path, copy)
    return await act(await siteOf(copy, textOption(invocation, 'signer'), place))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function siteOf(
  file: string,
  given: string | undefined,
  { flags, world }: Place,
): Promise<ReadySite> {
  const chosen = chooseHosts(flags, filesOf(world))
  const signer = await signerOf(file, `${file}.sig`)
  const { manifest, members } = await checkArchive(file)
  const inventory = chosen.find(({ site }) => site.site.name === manifest.site)?.site
  if (inventory === undefined)
    throw unusable(`it is of site ${manifest.site}, which the inventory does not have`)
  await judgeSigner(signer, inventory.site.bundle.allowedSigners, { given, world })
  const plan = await planIn(file, members)
  judgeVersion(manifest, plan, world)
  judgeHosts(plan.site, inventory.site)
  await keepRuntimes(file, members, world)
  return await withBundle(file, plan, { flags: { ...flags, sites: [manifest.site] }, world })
}

async function judgeSigner(
  signer: string,
  allowed: readonly string[],
  { given, world }: { readonly given: string | undefined; readonly world: World },
): Promise<void> {
  const known = [...allowed.map(fingerprintOf), ...(given === undefined ? [] : [given])]
  if (known.length > 0) return refuseStranger(signer, known)
  const { questions } = world
  const hint = `Compare it with what \`twonode bundle\` printed, and add --signer ${signer}; or write the key to \`bundle.allowedSigners\` of the inventory.`
  if (!questions.possible)
    throw unusable(`it is signed by ${signer}, and nobody said whose are taken`, hint)
  const answer = await questions.ask(
    `It is signed by ${signer}. Is that what \`twonode bundle\` printed? (yes/no) `,
  )
  if (answer?.trim() !== 'yes') throw unusable('that was no yes', hint)
}

async function planIn(file: string, members: readonly Placed[]): Promise<Plan> {
  const member = members.find(({ name }) => name === 'plan.json')
  const plan =
    member === undefined
      ? undefined
      : (parseJson(await text(bytesOf(file, member))) as Plan | undefined)
  if (plan?.format === PLAN_FORMAT) return plan
  throw unusable('it holds no plan that this twonode reads', 'Use the version that made it.')
}

function bytesOf(file: string, { offset, size }: Placed) {
  return createReadStream(file, { start: offset, end: offset + size - 1 })
}

/** What a plan means is what the twonode means by it that compiled it. */
function judgeVersion({ version }: Manifest, plan: Plan, { distribution }: World): void {
  if (plan.bundle === distribution.bundle().sha256) return
  const other = version === distribution.version ? 'another build of it' : distribution.version
  throw unusable(
    `twonode ${version} made it, and this is ${other}`,
    `Use that one; or take it to the hosts, which need no other: sh install.sh.`,
  )
}

function judgeHosts(bundled: Site, { hosts }: Site): void {
  if (said(bundled.hosts) === said(hosts)) return
  throw unusable(
    `it was made for ${said(bundled.hosts)}, and the inventory has ${said(hosts)}`,
    'Make it again.',
  )
}

function said(hosts: Site['hosts']): string {
  return hosts.map(({ name, address }) => `${name} ${address}`).join(', ')
}

/** Nothing is fetched for a host that has no runtime yet. */
async function keepRuntimes(
  file: string,
  members: readonly Placed[],
  { env }: World,
): Promise<void> {
  for (const member of members) {
    const [, arch] = /^runtime\/([a-z0-9_]+)\/node$/.exec(member.name) ?? []
    if (arch === undefined) continue
    const directory = cacheDirectory(env)
    await keepRuntime(arch as Architecture, () => bytesOf(file, member), directory)
  }
}

/** The bundle's plan, behind a play that brings the bundle. */
async function withBundle(file: string, plan: Plan, { flags, world }: Place): Promise<ReadySite> {
  const task = {
    name: "The site's bundle is on this host",
    site_bundle: { source: { path: file } },
  }
  const play = { name: 'The bundle', hosts: 'all', tasks: [{ ...task, tags: [...flags.tags] }] }
  const source = { kind: 'text', text: stringify([play]), name: 'bundle' } as const
  const [site] = await compileSites(source, { ...flags, extraVars: [] }, world)
  if (site === undefined) throw new Error('a chosen site is compiled')
  const { compiled, inventory } = site
  // The bundle's own count from 1; what is told and looked at goes by these.
  const first = compiled.plan.plays.map((one) => ({
    ...one,
    id: 0,
    steps: one.steps.map((step, index) => ({ ...step, id: `0.${index + 1}` })),
  }))
  return {
    ...site,
    compiled: {
      ...compiled,
      plan: { ...plan, plays: [...first, ...plan.plays] },
      secrets: secretsOf(plan, inventory, world),
    },
  }
}

/** By what its `!secret` says: a bundle holds no secret, and no path of the machine that made it. */
function secretsOf(
  plan: Plan,
  { secrets, file }: InventorySite,
  world: World,
): ReadonlyMap<string, Secret> {
  const read = secretReader(world)
  const sources = [...secrets.values()]
  const values = [...secretReferences(plan)].map((name) => {
    const source = sources.find((one) => secretOrigin(one) === name)
    if (source !== undefined) return [name, read(source)] as const
    throw new TwonodeError('E_SECRET', `${file} has no !secret that says ${name}`, {
      hint: 'The bundle was made with it: write it there too, or converge without the bundle.',
    })
  })
  return new Map(values)
}
