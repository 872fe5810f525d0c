import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { MODULES } from '../modules/index.ts'

/**
 * Which folder may import which, and why not the rest. Read as: a file below `from` must not import
 * anything that matches `to` (paths from the repository's root, packages by name).
 */
// oxfmt-ignore
const FORBIDDEN = [
  { from: 'src/core/',    to: /^(?!src\/core\/|diff$)/,                                                       why: 'core is vocabulary: it depends on nothing' },
  { from: 'modules/',     to: /^(ssh2|zx|pg|node:)|^src\/(?!core\/|pair\/host_meta)/,                         why: 'a module sees the Observer and nothing else of a machine' },
  { from: 'src/plan/',    to: /^(ssh2|zx|pg|consola)|^node:(fs|child_process|net)|^src\/(?!core\/|plan\/)|^modules\//, why: 'compiling is pure: files and modules come in as values' },
  { from: 'src/engine/',  to: /^(ssh2|zx|pg)|^src\/(?!core\/|engine\/)|^modules\//,                           why: 'the engine is given its hosts, modules and expressions' },
  { from: 'src/host/',    to: /^ssh2|^src\/(?!core\/|host\/|salvage\/)|^modules\//,                                     why: 'a host carries out what it is told; it decides nothing' },
  { from: 'src/remote/',  to: /^(zx|pg)|^src\/(?!core\/|remote\/)|^modules\//,                                why: 'a session carries plans and events; it knows nothing of modules' },
  { from: 'src/runner/',  to: /^ssh2|^src\/(cli|remote|agent)\//,                                             why: 'the runner acts on its own host only' },
  { from: 'src/agent/',   to: /^(ssh2|zx|pg)|^src\/(cli|remote|runner)\//,                                   why: 'the agent acts on its own host only, through src/host/' },
  { from: 'src/pair/',    to: /^(ssh2|zx|pg|node:)|^src\/(?!core\/|pair\/)|^modules\//,                       why: 'the two-node domain is pure' },
  { from: 'src/salvage/', to: /^(ssh2|zx|pg)|^node:(?!crypto)|^src\/(?!core\/|salvage\/)|^modules\//,       why: 'reading a branch is pure: bytes come in as values' },
  { from: 'src/witness/', to: /^(ssh2|zx|pg)|^src\/(?!core\/|pair\/|witness\/)|^modules\//,                    why: 'a witness knows claims, and nothing of hosts' },
  { from: 'src/bundle/',  to: /^(ssh2|zx|pg)|^src\/(?!core\/|bundle\/)|^modules\//,                              why: 'a bundle is files and their sums; what is in them is for others to know' },
  { from: 'src/cli/',     to: /^(zx|pg)|^src\/(engine|host|agent)\//,                                         why: 'the laptop never touches a host but through a session' },
] as const

const ROOT = join(import.meta.dirname, '..')

function filesBelow(folder: string): string[] {
  const full = join(ROOT, folder)
  if (!existsSync(full)) return []
  const entries = readdirSync(full, { recursive: true, encoding: 'utf8' })
  return entries.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name))
}

/** What a file imports: packages by name, our own files by their path from the root. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g,
  )
  return [...found].map((match) => {
    const name = match[1] ?? match[2] ?? ''
    return name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), name)) : name
  })
}

test.each(FORBIDDEN)('$from: $why', ({ from, to, why }) => {
  const files = filesBelow(from)
  expect(files, 'no such folder: was it renamed?').not.toEqual([])
  const broken = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => to.test(name))
      .map((name) => `${file} imports ${name}: ${why}`),
  )
  expect(broken).toEqual([])
})

test('src/agent/core.ts and all that it leads to knows no timer, socket, disk or process', () => {
  const seen = new Set<string>()
  const open = ['src/agent/core.ts']
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    if (file.endsWith('.ts')) open.push(...importsOf(file))
  }
  const allowed = /^(src\/(core|pair|agent)\/.*\.ts|yaml)$/
  expect([...seen].filter((name) => !allowed.test(name))).toEqual([])
})

test('zx is on hosts in src/host/local.ts and nowhere else', () => {
  const users = ['src', 'modules']
    .flatMap((folder) => filesBelow(folder))
    .filter((file) => importsOf(file).some((name) => name === 'zx' || name.startsWith('zx/')))
  expect(users).toEqual(['src/host/local.ts'])
})

test('only engine/apply.ts calls the writing half of a host', () => {
  const writes =
    /\bhost\.(writeFile|stage|setAttributes|makeDirectory|makeLink|remove|transaction|install|issue|obtain|salvage)\(/
  const writers = ['src/engine', 'modules', 'src/runner', 'src/agent']
    .flatMap((folder) => filesBelow(folder))
    .filter((file) => writes.test(readFileSync(join(ROOT, file), 'utf8')))
  expect(writers.filter((file) => file !== 'src/engine/apply.ts')).toEqual([])
})

test('modules/ holds the registry and one file a module; what they share is in modules/parts/', () => {
  const files = readdirSync(join(ROOT, 'modules')).filter(
    (name) => name.endsWith('.ts') && name !== 'index.ts',
  )
  const names = MODULES.map(({ name }) => `${name}.ts`)
  expect(files.toSorted()).toEqual(names.toSorted())
})
