import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { cacheEntry, cacheRoot, recipeHash, repositoryRoot } from './cache.ts'
import { must } from './command.ts'
import { secondsSince, type Progress } from './progress.ts'

/** A program that the hosts get. */
export interface Artefact {
  readonly path: string
  readonly version: string
  /** Hex digest of the file. */
  readonly sha256: string
}

export interface Artefacts {
  readonly kine: Artefact
  /** The lab's stand-in for k3s: see lab/k3s/main.go. */
  readonly k3s: Artefact
}

const KINE_VERSION = 'v0.16.4'

/** The Kubernetes that lab/k3s/go.mod names, as k3s would call a release of it. */
const K3S_VERSION = 'v1.34.4+k3s-standin'

/** Static, without paths of this machine, and small. */
export const BUILD_ENVIRONMENT = { CGO_ENABLED: '0', GOFLAGS: '-trimpath' }

const BUILD_TIMEOUT_MS = 1_800_000

/** Both artefacts, built at low priority if the cache has them not. */
export async function artefacts(progress: Progress): Promise<Artefacts> {
  const go = (await must(['go', 'env', 'GOVERSION'])).trim()
  // One after the other: they share most of two cores' time and some of the modules.
  const kine = await buildKine(go, progress)
  const k3s = await buildStandIn(go, progress)
  await Promise.all([pointAt('kine', kine.path), pointAt('k3s', k3s.path)])
  return { kine, k3s }
}

/** A name that stays: inventory/lab.yaml says `artefacts/kine`, whatever was built last. */
async function pointAt(name: string, path: string): Promise<void> {
  const link = join(cacheRoot(), 'artefacts', name)
  const fresh = `${link}.${process.pid}`
  await rm(fresh, { force: true })
  await symlink(path, fresh)
  await rename(fresh, link)
}

async function buildKine(go: string, progress: Progress): Promise<Artefact> {
  const version = `-X github.com/k3s-io/kine/pkg/version.Version=${KINE_VERSION}`
  const ldflags = `-s -w ${version}`
  const id = recipeHash({ go, ldflags, BUILD_ENVIRONMENT })
  const path = join(cacheRoot(), 'artefacts', `kine-${KINE_VERSION}-${id}`)
  const entry = await cacheEntry(path, async (directory) => {
    const target = `github.com/k3s-io/kine@${KINE_VERSION}`
    await goBuild(['install', '-v', '-ldflags', ldflags, target], {
      what: `kine ${KINE_VERSION}`,
      cwd: directory,
      env: { GOBIN: directory },
      progress,
    })
    await recordDigest(join(directory, 'kine'))
  })
  return await artefact(join(entry, 'kine'), KINE_VERSION)
}

async function buildStandIn(go: string, progress: Progress): Promise<Artefact> {
  const sources = join(repositoryRoot(), 'lab/k3s')
  const files = (await readdir(sources)).filter(
    (name) => /\.go$|^go\.(mod|sum)$/.test(name) && !name.endsWith('_test.go'),
  )
  const contents = await Promise.all(files.map((name) => readFile(join(sources, name), 'utf8')))
  const upstream = 'k8s.io/component-base/version'
  const stamps = {
    'main.version': K3S_VERSION,
    [`${upstream}.gitVersion`]: K3S_VERSION,
    [`${upstream}.gitMajor`]: '1',
    [`${upstream}.gitMinor`]: '34',
  }
  const stamped = Object.entries(stamps).map(([name, value]) => `-X ${name}=${value}`)
  const ldflags = `-s -w ${stamped.join(' ')}`
  const id = recipeHash({ go, ldflags, BUILD_ENVIRONMENT, files, contents })
  const path = join(cacheRoot(), 'artefacts', `k3s-standin-${id}`)
  const entry = await cacheEntry(path, async (directory) => {
    const copy = join(directory, 'source')
    await mkdir(copy)
    for (const name of files) await copyFile(join(sources, name), join(copy, name))
    await goBuild(['build', '-v', '-ldflags', ldflags, '-o', join(directory, 'k3s'), '.'], {
      what: 'k3s stand-in',
      cwd: copy,
      env: {},
      progress,
    })
    await recordDigest(join(directory, 'k3s'))
  })
  return await artefact(join(entry, 'k3s'), K3S_VERSION)
}

interface GoBuild {
  readonly what: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly progress: Progress
}

/** Runs the Go tool at low priority; tells now and then how far it is. */
async function goBuild(args: readonly string[], build: GoBuild): Promise<void> {
  const since = performance.now()
  const count = { modules: 0, packages: 0 }
  const tell = setInterval(() => {
    const step =
      count.packages === 0
        ? `${count.modules} modules fetched`
        : `compiling, ${count.packages} packages done`
    build.progress({ what: `${build.what}: ${step}, ${secondsSince(since).toFixed(0)} s` })
  }, 15_000)
  try {
    await must(['nice', '-n', '10', 'go', ...args], {
      cwd: build.cwd,
      env: { ...BUILD_ENVIRONMENT, ...build.env },
      timeoutMs: BUILD_TIMEOUT_MS,
      onLine: (line) => {
        if (line.startsWith('go: downloading')) count.modules += 1
        else count.packages += 1
      },
    })
  } finally {
    clearInterval(tell)
  }
  build.progress({ what: `${build.what} built`, seconds: secondsSince(since) })
}

async function recordDigest(file: string): Promise<void> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  await writeFile(`${file}.sha256`, hash.digest('hex'))
}

async function artefact(path: string, version: string): Promise<Artefact> {
  return { path, version, sha256: await readFile(`${path}.sha256`, 'utf8') }
}

/** lab/delay, which holds packets back; a second to build. */
export async function delayProgram(): Promise<string> {
  return await goProgram('delay')
}

/** The program that judges a history of compare-and-swaps. */
export async function historyProgram(): Promise<string> {
  return await goProgram('history')
}

/** One of the lab's own small programs, built anew when its source is another. */
async function goProgram(name: 'delay' | 'history'): Promise<string> {
  const sources = join(repositoryRoot(), 'lab', name)
  const files = ['main.go', 'go.mod'].map((file) => readFile(join(sources, file), 'utf8'))
  const path = join(
    cacheRoot(),
    'artefacts',
    `${name}-${recipeHash({ source: await Promise.all(files) })}`,
  )
  const entry = await cacheEntry(path, async (directory) => {
    const output = join(directory, `lab-${name}`)
    await must(['go', 'build', '-ldflags', '-s -w', '-o', output, '.'], {
      cwd: sources,
      env: BUILD_ENVIRONMENT,
      timeoutMs: 300_000,
    })
  })
  return join(entry, `lab-${name}`)
}
