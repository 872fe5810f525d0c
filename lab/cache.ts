import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { LabError } from './lab_error.ts'

/**
 * Base images, packages, artefacts and labs live here, outside the work tree. Without symbolic links in
 * it: the kernel's list of mounts has none, and a mount that is not found there is not unmounted.
 */
export function cacheRoot(): string {
  return withoutLinks(resolve(process.env['TWONODE_CACHE'] ?? join(homedir(), '.cache', 'twonode')))
}

/** What is there already is followed; what is not there yet can be no link. */
function withoutLinks(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  return join(withoutLinks(dirname(path)), basename(path))
}

/** The repository: the start scripts set TWONODE_ROOT; bundles don't know where they came from. */
export function repositoryRoot(): string {
  return process.env['TWONODE_ROOT'] ?? process.cwd()
}

/** A short digest that names a cache entry by everything that it was made from. */
export function recipeHash(recipe: unknown): string {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12)
}

/**
 * The cache entry (a directory) at `path`, made by `build` if it is not there. It is built under a
 * temporary name and renamed when whole, one builder at a time on this machine.
 */
export async function cacheEntry(
  path: string,
  build: (directory: string) => Promise<void>,
): Promise<string> {
  if (existsSync(path)) return path
  return await withLock(basename(path), BUILD_WAIT_SECONDS, async () => {
    if (existsSync(path)) return path
    await mkdir(dirname(path), { recursive: true })
    await removeUnfinished(path)
    const unfinished = `${path}.${UNFINISHED}-${randomBytes(4).toString('hex')}`
    await mkdir(unfinished)
    try {
      await build(unfinished)
      await rename(unfinished, path)
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true })
      throw error
    }
    return path
  })
}

const UNFINISHED = 'unfinished'

/** Longer than any build: a cold build of the stand-in takes about 6 minutes on two cores. */
const BUILD_WAIT_SECONDS = 1_800

/** What an interrupted builder left; we hold the entry's lock, so nobody is at work on it. */
async function removeUnfinished(path: string): Promise<void> {
  const prefix = `${basename(path)}.${UNFINISHED}-`
  for (const name of await readdir(dirname(path)))
    if (name.startsWith(prefix))
      await rm(join(dirname(path), name), { recursive: true, force: true })
}

/**
 * Does `work` under a lock that the kernel frees when this process dies, however it dies: flock(1)
 * holds it for as long as `cat` can read from us.
 */
export async function withLock<T>(
  name: string,
  waitSeconds: number,
  work: () => Promise<T>,
): Promise<T> {
  const directory = join(cacheRoot(), 'locks')
  await mkdir(directory, { recursive: true })
  const release = await takeLock(join(directory, name), waitSeconds)
  try {
    return await work()
  } finally {
    release()
  }
}

function takeLock(file: string, waitSeconds: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const holder = spawn('flock', ['--wait', String(waitSeconds), file, 'cat'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // Not in our process group: Ctrl-C ends us first, and the lock with our end of the pipe.
      detached: true,
    })
    holder.stdin.on('error', () => undefined)
    holder.on('error', reject)
    holder.once('exit', () =>
      reject(
        new LabError(
          `${file}: locked by another lab command for more than ${waitSeconds} s`,
          'Wait for it, or look with `lsof` at who has that file open.',
        ),
      ),
    )
    // `cat` answers as soon as flock has started it, which is when the lock is ours.
    holder.stdout.once('data', () => resolve(() => void holder.stdin.end()))
    holder.stdin.write('\n')
  })
}
