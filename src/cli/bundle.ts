import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Source } from '../bundle/archive.ts'
import {
  fetchedInto,
  fetchPackages,
  packageFiles,
  packageIndex,
  plainName,
} from '../bundle/debian_packages.ts'
import { makeBundle, type MadeBundle } from '../bundle/make.ts'
import { fileSource, gzippedProgram, textSource } from '../bundle/source.ts'
import { EXIT, TwonodeError } from '../core/errors.ts'
import { BUNDLE_PLACE, FILES_FOLDER, PACKAGES_FOLDER } from '../plan/bundle_places.ts'
import { bundledPlan } from '../plan/bundled.ts'
import { portablePlan } from '../plan/site_file.ts'
import { secretNames } from '../plan/site_secrets.ts'
import { cacheDirectory } from '../remote/cache_directory.ts'
import { type Architecture, createRuntimeCache } from '../remote/runtime.ts'
import { type CommandRun, flagOption, type Invocation, textOption } from './command.ts'
import { compileSites, playbookNamed, type ReadySite } from './compile_sites.ts'
import { readRunFlags } from './run_flags.ts'
import { locate } from './secret_values.ts'
import type { World } from './world.ts'

/** Hosts are of this kind, as `uname -m` and as Debian name it. */
const ARCHITECTURE: Architecture = 'x86_64'
const DEBIAN_ARCHITECTURE = 'amd64'

/** `twonode bundle`: all that a site's hosts need, in one signed file. */
export const bundle: CommandRun = async (invocation, world) => {
  const site = await oneSite(invocation, world)
  const output = locate(textOption(invocation, 'output') ?? `${nameOf(site)}.twonode`, world)
  const work = await mkdtemp(join(tmpdir(), 'twonode-bundle-'))
  try {
    const sources = await sourcesOf(site, invocation, { world, work })
    say(world, `packing and signing ${sources.length} files`)
    const about = {
      site: nameOf(site),
      version: world.distribution.version,
      architectures: [ARCHITECTURE],
    }
    const made = await makeBundle({
      about,
      sources,
      output,
      key: locate(textOption(invocation, 'key') ?? '~/.ssh/id_ed25519', world),
      installer: join(world.distribution.playbooks, 'files/install.sh'),
      onNotice: (text) => world.stderr.write(text),
    })
    const told = { ...about, file: output, files: sources.length, ...made }
    world.stdout.write(
      flagOption(invocation, 'json') ? `${JSON.stringify(told)}\n` : textOf(output, told),
    )
    return EXIT.done
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function oneSite(invocation: Invocation, world: World): Promise<ReadySite> {
  const flags = readRunFlags(invocation)
  const source = playbookNamed(invocation.arguments[0], world, 'site.yaml')
  const [site, other] = await compileSites(source, flags, world)
  if (site !== undefined && other === undefined) return site
  throw new TwonodeError('E_USAGE', 'a bundle is for one site, and the inventory has several', {
    hint: 'Name it: --site NAME.',
  })
}

interface Place {
  readonly world: World
  /** A folder for what is made on the way. */
  readonly work: string
}

async function sourcesOf(
  { compiled }: ReadySite,
  invocation: Invocation,
  place: Place,
): Promise<readonly Source[]> {
  const { world } = place
  const { plan, files, packages } = bundledPlan(compiled.plan, compiled.secrets)
  const portable = portablePlan(plan, secretNames(plan, compiled.secrets))
  return [
    await textSource('plan.json', `${JSON.stringify(portable)}\n`),
    ...(await runnerSources(world)),
    await runtimeSource(world),
    ...(await Promise.all(
      files.map(async ({ sha256, url }) => {
        const blob = compiled.blobs.get(sha256)
        if (blob === undefined) throw notHere(url ?? sha256)
        return await fileSource(`${FILES_FOLDER}/${sha256}`, locate(blob.path, world))
      }),
    )),
    ...(await packageSources(packages, invocation, place)),
  ]
}

function notHere(what: string): TwonodeError {
  return new TwonodeError('E_ARGUMENT', `${what} is not on this machine`, {
    hint: 'Give it to the inventory as `path`: a bundle takes files of this machine.',
  })
}

async function runnerSources({ distribution }: World): Promise<readonly Source[]> {
  const { files } = distribution.bundle()
  return await Promise.all(files.map(({ name, path }) => fileSource(`runner/${name}`, path)))
}

async function runtimeSource(world: World): Promise<Source> {
  const provide = createRuntimeCache({
    directory: cacheDirectory(world.env),
    onProgress: (message) => say(world, message),
  })
  const { path } = await provide(ARCHITECTURE)
  return await gzippedProgram(`runtime/${ARCHITECTURE}/node`, path)
}

/** Nothing but the bundle is asked for packages, and the host's own lists stay as they are. */
const APT_CONF = `Dir::Etc::SourceList "${BUNDLE_PLACE}/${PACKAGES_FOLDER}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "/var/lib/apt/twonode";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
`

/** The folder's files are held to the manifest, which is signed. */
const SOURCES_LIST = `deb [trusted=yes] file:${BUNDLE_PLACE}/${PACKAGES_FOLDER} ./\n`

async function packageSources(
  names: readonly string[],
  invocation: Invocation,
  { world, work }: Place,
): Promise<readonly Source[]> {
  const given = textOption(invocation, 'packages')
  if (given === undefined) {
    say(world, `fetching ${names.join(', ')}, and what they need`)
    await fetchPackages(names, { folder: work, architecture: DEBIAN_ARCHITECTURE })
  }
  const folder = given === undefined ? fetchedInto(work) : locate(given, world)
  const files = await packageFiles(folder)
  const missing = names.filter((name) => files.every((file) => !file.startsWith(`${name}_`)))
  if (missing.length > 0) say(world, `${missing.join(', ')}: not in ${folder}; hosts must have it`)
  return await Promise.all([
    textSource(`${PACKAGES_FOLDER}/apt.conf`, APT_CONF),
    textSource(`${PACKAGES_FOLDER}/sources.list`, SOURCES_LIST),
    textSource(`${PACKAGES_FOLDER}/Packages`, await packageIndex(folder, files)),
    ...files.map((file) => fileSource(`${PACKAGES_FOLDER}/${plainName(file)}`, join(folder, file))),
  ])
}

function nameOf({ inventory }: ReadySite): string {
  return inventory.site.name
}

function textOf(
  output: string,
  {
    files,
    size,
    sha256,
    signer,
    architectures,
  }: MadeBundle & { files: number; architectures: readonly string[] },
): string {
  const name = basename(output)
  return `${name} written: ${Math.round(size / 1_000_000)} MB, ${files} files, for ${architectures.join(', ')}
  sha256  ${sha256}
  signer  ${signer}
Next: take ${name}, ${name}.sig and install.sh to each host, and there, as root: sh install.sh ${name}
`
}

function say({ stderr }: World, text: string): void {
  stderr.write(`${text}\n`)
}
