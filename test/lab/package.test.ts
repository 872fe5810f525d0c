import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { convergedPair } from './pair.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

/** What a laptop or a host is for: nothing of the lab, the tests or the benches. */
const SHIPPED =
  /^(dist\/(twonode\.mjs|licences\.txt|(chunks|bundle)\/[\w.-]+)|playbooks\/[\w./-]+|inventory\/example\.yaml|docs\/operations\.md|(README|CHANGELOG)\.md|LICENSE|package\.json)$/

/** A converge of a pair that stands, on a busy machine. @unit milliseconds */
const RUN_MS = 180_000

/** @unit bytes, packed */
const SIZE_MOST = 1_200_000

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'twonode-package-'))
  mkdirSync(join(folder, 'empty'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A command in the empty folder, with no cache, no settings and no registry. */
async function run(file: string, ...argv: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    TWONODE_CACHE: process.env['TWONODE_CACHE'] ?? join(homedir(), '.cache/twonode'),
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  }
  const settings = { cwd: join(folder, 'empty'), env, timeout: RUN_MS }
  const { stdout } = await promisify(execFile)(file, argv, settings)
  return stdout
}

async function twonode(...words: readonly string[]): Promise<string> {
  return await run('npx', '--no-install', 'twonode', ...words)
}

test('the package holds what a laptop and its hosts run, and needs no other', async () => {
  const words = ['pack', ROOT, '--ignore-scripts', '--json', '--pack-destination', folder]
  const [packed] = JSON.parse(await run('npm', ...words)) as readonly {
    readonly filename: string
    readonly size: number
    readonly files: readonly { readonly path: string }[]
  }[]
  expect(packed?.files.map(({ path }) => path).filter((path) => !SHIPPED.test(path))).toEqual([])
  expect(packed?.size).toBeLessThan(SIZE_MOST)
  await run('npm', 'install', '--no-audit', '--no-fund', join(folder, packed?.filename ?? ''))
  const tree = JSON.parse(await run('npm', 'ls', '--all', '--json')) as {
    readonly dependencies: Readonly<Record<string, object>>
  }
  expect(Object.keys(tree.dependencies)).toEqual(['twonode'])
  expect(tree.dependencies['twonode']).not.toHaveProperty('dependencies')
})

test('from a folder with nothing else in it npx twonode writes an inventory, plans and converges a pair', async () => {
  const { lab, from } = await convergedPair()
  const { h1, h2 } = lab.hosts
  const hosts = [`h1=${h1.address}`, `h2=${h2.address}`].flatMap((host) => ['--host', host])
  const network = ['--virtual-ip', `${lab.virtualIp}/24`, '--gateway', lab.gateway]
  await twonode('init', 'inventory.yaml', '--name', lab.name, ...hosts, ...network)

  // How this lab is reached, and its own binaries; the rest is as init wrote it.
  const path = join(folder, 'empty/inventory.yaml')
  const written = parse(readFileSync(path, 'utf8')) as Site
  const { hosts: reached, kine, k3s } = parse(readFileSync(from.inventory, 'utf8')) as Site
  const all = written.hosts.map((host, index) => ({ ...host, ssh: reached[index]?.ssh }))
  writeFileSync(path, stringify({ ...written, hosts: all, kine, k3s }))

  expect(await twonode('plan', '-i', 'inventory.yaml')).toContain('k3s is installed')
  // The site file may be written anew: its keys stand in the order of the inventory.
  expect(await twonode('converge', '-i', 'inventory.yaml')).not.toContain('failed')
  expect(await twonode('converge', '-i', 'inventory.yaml')).toMatch(/h1: \d+ ok, 0 changed; h2/)
  expect(await twonode('completion', 'bash')).toContain('complete')
  expect(await twonode('docs', 'operations')).toContain('## Ports')
})

interface Site {
  readonly hosts: readonly { readonly ssh: object }[]
  readonly kine: object
  readonly k3s: object
}
