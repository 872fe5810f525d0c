import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { copyFile, link, mkdir, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Manifest, MANIFEST_NAME, parseManifest, unusable } from '../bundle/manifest.ts'
import { parseJson } from '../core/json.ts'
import { PLAN_FORMAT, type Plan } from '../core/plan.ts'
import { listDirectory } from '../host/files.ts'
import { makeLink } from '../host/paths.ts'
import { syncDirectory } from '../host/staged_file.ts'

/** A bundle as install.sh has unpacked it. */
export interface OwnBundle {
  readonly folder: string
  readonly manifest: Manifest
  readonly plan: Plan
}

/** The one that the host goes by, and the one before. */
const BUNDLES_KEPT = 2

/** What install.sh has not come to the end with, and its lock: its own to remove. */
const NO_BUNDLE = '.'

/**
 * Reads a bundle, and holds each file to its manifest: who goes back to one that was kept, months later,
 * has nobody else to tell.
 * @throws TwonodeError E_SITE_BUNDLE
 */
export async function readBundle(folder: string): Promise<OwnBundle> {
  const text = await readFile(join(folder, MANIFEST_NAME), 'utf8').catch(() => undefined)
  if (text === undefined)
    throw unusable(`${folder} holds none`, 'Bring one to this host: sh install.sh BUNDLE.')
  const manifest = parseManifest(text)
  for (const { name, sha256 } of manifest.members) {
    const found = await digestOf(join(folder, name)).catch(() => 'missing')
    if (found !== sha256)
      throw unusable(`${folder}/${name} is not what its manifest says`, 'Bring it here again.')
  }
  const plan = parseJson(await readFile(join(folder, 'plan.json'), 'utf8')) as Plan | undefined
  if (plan?.format !== PLAN_FORMAT)
    throw unusable('its plan is of another format', 'Use the twonode that made it.')
  return { folder, manifest, plan }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash)
  return hash.digest('hex')
}

/**
 * The bundle's twonode becomes the host's, and the bundle the one that its plan finds its files in. As
 * with a connection from a laptop, each piece appears by a rename, the links last.
 * @param root - `/opt/twonode`
 */
export async function adopt({ folder, manifest, plan }: OwnBundle, root: string): Promise<void> {
  const program = join(root, 'bundle', plan.bundle)
  const names = manifest.members.flatMap(({ name }) =>
    dirname(name) === 'runner' ? [basename(name)] : [],
  )
  await appear(program, 'main.mjs', async (at) => {
    for (const name of names) await share(join(folder, 'runner', name), join(at, name))
  })
  const runtime = join(root, 'runtime', `node-${process.version.slice(1)}`)
  await appear(runtime, 'bin/node', async (at) => {
    await mkdir(join(at, 'bin'))
    await share(process.execPath, join(at, 'bin/node'))
  })
  await makeLink(join(root, 'node'), join(runtime, 'bin/node'))
  await makeLink(join(root, 'current'), join('bundle', plan.bundle))
  await makeLink(join(root, 'site'), join('bundles', basename(folder)))
  await syncDirectory(root)
}

/** A folder that is there as a whole, or not at all. */
async function appear(
  path: string,
  proof: string,
  fill: (at: string) => Promise<void>,
): Promise<void> {
  if (await exists(join(path, proof))) return
  const temporary = `${path}.${process.pid}`
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true, mode: 0o755 })
  await fill(temporary)
  await rm(path, { recursive: true, force: true })
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

/** The same file under a second name, where both are on one disk. */
async function share(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch {
    await copyFile(from, to, constants.COPYFILE_FICLONE)
  }
}

/** Where the bundle lies that the host went by before this one; undefined: none was kept. */
export async function previousBundle(root: string): Promise<string | undefined> {
  const [, previous] = await keptBundles(root)
  return previous === undefined ? undefined : join(root, 'bundles', previous)
}

/** Those that nobody goes back to are removed. */
export async function pruneBundles(root: string): Promise<void> {
  const kept = (await keptBundles(root)).slice(0, BUNDLES_KEPT)
  for (const name of (await listDirectory(join(root, 'bundles'))) ?? [])
    if (!kept.includes(name) && !name.startsWith(NO_BUNDLE))
      await rm(join(root, 'bundles', name), { recursive: true, force: true })
}

/** By name: the one that the host goes by, and the others, the last that was brought here first. */
async function keptBundles(root: string): Promise<readonly string[]> {
  const folder = join(root, 'bundles')
  const current = basename(await readlink(join(root, 'site')).catch(() => ''))
  const names = ((await listDirectory(folder)) ?? []).filter(
    (name) => !name.startsWith(NO_BUNDLE) && name !== current,
  )
  const dated = await Promise.all(
    names.map(async (name) => ({ name, ctimeMs: (await stat(join(folder, name))).ctimeMs })),
  )
  const others = dated.toSorted((a, b) => b.ctimeMs - a.ctimeMs).map(({ name }) => name)
  return current === '' ? others : [current, ...others]
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
