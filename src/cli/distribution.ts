import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { Bundle } from '../remote/bundle.ts'
import type { Distribution } from './world.ts'

/** Put in by the build from package.json; absent when the sources run unbuilt, in tests. */
declare const __VERSION__: string | undefined

const VERSION = typeof __VERSION__ === 'string' ? __VERSION__ : '0.0.0-unbuilt'

/**
 * Finds what belongs to the program that runs: `dist/` with the runner's bundle, and the playbooks
 * beside it. `TWONODE_DIST` names another dist/, for tests. With code splitting the caller may stand
 * in a folder below dist/.
 */
export function locateDistribution(
  startDirectory: string,
  env: Readonly<Record<string, string | undefined>>,
): Distribution {
  const dist = env['TWONODE_DIST'] ?? nearestDist(startDirectory)
  return {
    version: VERSION,
    playbooks: resolve(dist, '../playbooks'),
    bundle: () => readBundle(join(dist, 'bundle')),
  }
}

function nearestDist(start: string): string {
  const candidates = [start, resolve(start, '..'), resolve(start, '../../dist')]
  return candidates.find((path) => existsSync(join(path, 'bundle', 'manifest.json'))) ?? start
}

function readBundle(directory: string): Bundle {
  const manifestFile = join(directory, 'manifest.json')
  const broken = (reason: string) =>
    new TwonodeError('E_FILE', `the runner's bundle is not usable: ${manifestFile} ${reason}`, {
      hint: 'Build it again: npm run build.',
    })
  if (!existsSync(manifestFile)) throw broken('does not exist')
  const manifest: unknown = JSON.parse(readFileSync(manifestFile, 'utf8'))
  if (!isObject(manifest)) throw broken('is no object')
  const { sha256, files } = manifest
  if (typeof sha256 !== 'string' || !Array.isArray(files)) throw broken('names no files')
  const names = files.filter((name) => typeof name === 'string')
  return {
    sha256,
    files: names.map((name) => ({ name, path: join(directory, name) })),
  }
}
