import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf, TwonodeError } from '../core/errors.ts'

/** Fetching some hundred packages over a slow line. @unit milliseconds */
const APT_MS = 30 * 60_000

/** apt says a line for each package. @unit bytes */
const OUTPUT_MOST = 16 * 1024 * 1024

/** What dpkg-deb and apt print is read. */
const ENV = { ...process.env, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' }

/**
 * Fetches packages and all that they need into a folder, with this machine's apt and from its sources:
 * as for a host that has nothing at all, so that whatever it has is enough.
 * @throws {TwonodeError} E_DOWNLOAD
 */
export async function fetchPackages(
  names: readonly string[],
  { folder, architecture }: { readonly folder: string; readonly architecture: string },
): Promise<void> {
  const state = join(folder, '.apt')
  await Promise.all(
    ['lists/partial', 'archives/partial'].map(async (name) => {
      await mkdir(join(state, name), { recursive: true })
    }),
  )
  await writeFile(join(state, 'status'), '')
  const settings = {
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache::archives': join(state, 'archives'),
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Debug::NoLocking': '1',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': '',
  }
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  await aptGet([...options, '--quiet=2', 'update'])
  await aptGet([
    ...options,
    '--quiet=2',
    '--yes',
    '--no-install-recommends',
    '--download-only',
    'install',
    ...names,
  ])
}

/** The packages that {@link fetchPackages} has brought. */
export function fetchedInto(folder: string): string {
  return join(folder, '.apt', 'archives')
}

/** Files of Debian packages in a folder, sorted. @throws {TwonodeError} E_FILE */
export async function packageFiles(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.deb')).toSorted()
  } catch (cause) {
    throw new TwonodeError('E_FILE', `${folder} can not be read: ${messageOf(cause)}`, { cause })
  }
}

/**
 * apt's index of a folder of packages.
 * @throws {TwonodeError} E_FILE for a file that is no package
 * @source https://wiki.debian.org/DebianRepository/Format
 */
export async function packageIndex(folder: string, files: readonly string[]): Promise<string> {
  const paragraphs: string[] = []
  for (const name of files) {
    const path = join(folder, name)
    paragraphs.push(indexParagraph(await controlOf(path), plainName(name), await readFile(path)))
  }
  return paragraphs.join('\n')
}

/** A package's file as Debian's archive names it: apt has put an epoch into it, and escaped its colon. */
export function plainName(file: string): string {
  return file.replace(/_\d+%3a/i, '_')
}

/** One package of the index: its control paragraph and how to fetch and check the file. */
export function indexParagraph(control: string, name: string, content: Uint8Array): string {
  const sha256 = createHash('sha256').update(content).digest('hex')
  return `${control.trimEnd()}\nFilename: ./${name}\nSize: ${content.length}\nSHA256: ${sha256}\n`
}

async function controlOf(path: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('dpkg-deb', ['--field', path], { env: ENV })
    return stdout
  } catch (cause) {
    throw new TwonodeError('E_FILE', `dpkg-deb can not read ${path}`, {
      hint: "Take the file away if it is no Debian package. dpkg-deb is of Debian's package dpkg, and of Homebrew's.",
      detail: messageOf(cause),
      cause,
    })
  }
}

async function aptGet(argv: readonly string[]): Promise<void> {
  const settings = { env: ENV, timeout: APT_MS, maxBuffer: OUTPUT_MOST }
  try {
    await promisify(execFile)('apt-get', argv, settings)
  } catch (cause) {
    throw new TwonodeError('E_DOWNLOAD', 'apt-get of this machine can not fetch the packages', {
      hint: "Make the bundle on a machine with the hosts' release of Debian, or name a folder that holds the packages: --packages FOLDER.",
      detail: messageOf(cause),
      cause,
    })
  }
}
