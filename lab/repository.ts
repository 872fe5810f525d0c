import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { indexParagraph } from '../src/bundle/debian_packages.ts'
import type { BaseImage } from './base.ts'
import { cacheEntry, cacheRoot, recipeHash, repositoryRoot } from './cache.ts'
import { must, run } from './command.ts'
import type { LabAddresses, LabObjects } from './names.ts'
import { NEWER_POSTGRES_BUILD, packNewerPostgres } from './newer_postgres.ts'
import { until } from './wait.ts'

/** What the hosts can install: PostgreSQL for the pair, strace for the test that looks for secrets. */
const PACKAGES = ['postgresql-15', 'postgresql-client-15', 'strace']

/** Raised when packages are packed or indexed otherwise. */
const REPOSITORY_VERSION = 3

export const REPOSITORY_PORT = 8077

/** The only line of the hosts' sources.list. */
export function sourcesList(gateway: string): string {
  return `deb [trusted=yes] http://${gateway}:${REPOSITORY_PORT}/ ./\n`
}

/** A flat apt repository with everything that a host made from `base` lacks for {@link PACKAGES}. */
export async function debianRepository(base: BaseImage): Promise<string> {
  const id = recipeHash({ base: base.id, PACKAGES, REPOSITORY_VERSION, NEWER_POSTGRES_BUILD })
  return await cacheEntry(join(cacheRoot(), `debs-${id}`), async (directory) => {
    await download(base, directory)
    await packNewerPostgres(directory)
    await writeIndex(directory)
  })
}

async function download(base: BaseImage, directory: string): Promise<void> {
  const archives = join(directory, 'archives')
  await mkdir(join(archives, 'partial'), { recursive: true })
  // apt would fetch nothing for what this machine has installed: it is shown the bare host's status.
  const status = join(directory, 'status')
  await copyFile(join(base.root, 'var/lib/dpkg/status'), status)
  const options = {
    'Dir::State::status': status,
    'Dir::Cache::archives': archives,
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': 'root',
  }
  const flags = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  const install = ['--yes', '--no-install-recommends', '--download-only', 'install', ...PACKAGES]
  const first = await run(['apt-get', ...flags, ...install], { timeoutMs: 600_000 })
  if (first.code !== 0) {
    // Stale package lists name versions that the mirror no longer has.
    await must(['apt-get', '-o', 'APT::Sandbox::User=root', 'update'], { timeoutMs: 300_000 })
    await must(['apt-get', ...flags, ...install], { timeoutMs: 600_000 })
  }
  for (const name of await readdir(archives))
    if (name.endsWith('.deb')) await repack(join(archives, name), join(directory, name))
  await rm(archives, { recursive: true })
  await rm(status)
}

/** Most of what an installation costs a host is undoing xz; the same files are quicker from zstd. */
async function repack(from: string, to: string): Promise<void> {
  const tree = `${to}.tree`
  await must(['dpkg-deb', '--raw-extract', from, tree])
  await must(['dpkg-deb', '-Zzstd', '-z3', '--build', tree, to])
  await rm(tree, { recursive: true })
}

/** Makes a directory of packages a flat repository. */
export async function writeIndex(directory: string): Promise<void> {
  const paragraphs: string[] = []
  for (const name of (await readdir(directory)).toSorted()) {
    if (!name.endsWith('.deb')) continue
    const file = join(directory, name)
    const control = await must(['dpkg-deb', '--field', file])
    paragraphs.push(indexParagraph(control, name, await readFile(file)))
  }
  const packages = paragraphs.join('\n')
  const files = { Packages: Buffer.from(packages), 'Packages.gz': gzipSync(packages) }
  for (const [name, content] of Object.entries(files))
    await writeFile(join(directory, name), content)
  await writeFile(join(directory, 'Release'), releaseFile(files))
}

/** The repository's Release file: digests of its indexes. Unsigned: sources.list says trusted. */
export function releaseFile(files: Readonly<Record<string, Uint8Array>>): string {
  const lines = Object.entries(files).map(
    ([name, content]) =>
      ` ${createHash('sha256').update(content).digest('hex')} ${content.length} ${name}`,
  )
  // apt wants a date and refuses one to come; no host's clock is before this one.
  const date = 'Date: Thu, 01 Jan 2015 00:00:00 UTC'
  return ['Origin: twonode-lab', 'Label: twonode-lab', date, 'SHA256:', ...lines, ''].join('\n')
}

/** Starts the repository's HTTP server on the gateway address; it outlives this process. */
export async function serveRepository(
  objects: LabObjects,
  { gateway }: LabAddresses,
  paths: { repository: string; log: string },
): Promise<void> {
  const url = `http://${gateway}:${REPOSITORY_PORT}/Release`
  if (await answers(url)) return
  const log = openSync(paths.log, 'a')
  const script = join(repositoryRoot(), 'lab/serve.mjs')
  const args = [script, serverMark(objects), gateway, String(REPOSITORY_PORT), paths.repository]
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
  })
  closeSync(log)
  child.unref()
  await until(`${url} to answer`, async () => ((await answers(url)) ? true : undefined), {
    timeoutMs: 10_000,
  })
}

/** The argument by which `down` finds a lab's server among all processes. */
export function serverMark(objects: LabObjects): string {
  return `tn-${objects.name}-repository`
}

export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}
