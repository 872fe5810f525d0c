import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS } from '../src/cli/command_table.ts'
import { schemaRows } from '../src/cli/schema_rows.ts'
import type { CommandShape } from '../src/core/command_shape.ts'
import { HOST_COMMANDS } from '../src/core/host_commands.ts'
import { ERRORS } from '../src/core/errors.ts'
import { JUMP } from '../modules/kine_revision.ts'
import { RULES } from '../src/pair/fsm.ts'
import { ONE_SITE_SCHEMA } from '../src/plan/inventory_schema.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGE = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')

/** All that is code on the page: blocks, and what stands in backticks. */
const CODE = [
  ...PAGE.matchAll(/^```\w*\n([\s\S]*?)^```/gm),
  ...PAGE.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g),
].map(([, code = '']) => code)

/** Everything that runs on a host or puts something there. */
const SOURCES = ['playbooks', 'modules', 'src']
  .flatMap((folder) => {
    const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile())
  })
  .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
  .join('\n')
  .replaceAll('{{ site.postgres.version }}', '15')

function found(pattern: RegExp): string[] {
  return [
    ...new Set(CODE.flatMap((code) => [...code.matchAll(pattern)].map(([, text = '']) => text))),
  ]
}

test('every command of twonode on the page is one, on a laptop or a host, and takes the options it is given', async () => {
  const onHosts = optionsOf(HOST_COMMANDS)
  const onLaptop = optionsOf(COMMANDS)
  const written = found(/\btwonode ([a-z].*?) *(?:#|$)/gm)
  expect(written.length).toBeGreaterThan(9)
  for (const line of written) {
    const [name = '', ...words] = line.split(' ')
    const known = (words.includes('-i') ? onLaptop : onHosts).get(name) ?? onLaptop.get(name)
    expect(known, `twonode ${name}`).toBeDefined()
    for (const option of words.filter((word) => word.startsWith('-')))
      expect(known?.match(/--?[a-z0-9-]+/g), line).toContain(option)
  }
})

function optionsOf(commands: readonly CommandShape[]): ReadonlyMap<string, string> {
  return new Map(
    commands.map(({ name, options }) => [name, options.map(({ flags }) => flags).join(' ')]),
  )
}

test('every unit and path on the page is one that a playbook, a module or the agent puts there', () => {
  const units = found(/((?:twonode|kine|postgresql@?)[\w@-]*\.service)/g)
  const started = found(/\bsystemctl (?:status|start|disable --now) ([^\n#]+)/g)
  const watched = found(/\bjournalctl ([^\n#]+)/g)
    .join(' ')
    .replaceAll('-u ', '')
  const names = [...started, watched].flatMap((line) => line.trim().split(' '))
  expect(names.length).toBeGreaterThan(9)
  for (const unit of [...units, ...names.map((name) => `${name}.service`)])
    expect(SOURCES, unit).toContain(unit)

  // A log's name and a folder's are put together where they are used.
  const ours = found(/(\/(?:etc|opt|run|var\/log|var\/lib|usr\/local)\/[\w@./-]*\w)/g).filter(
    (path) => !OF_OTHERS.has(path),
  )
  expect(ours.length).toBeGreaterThan(9)
  for (const path of ours) expect(SOURCES, path).toContain(PUT_TOGETHER[path] ?? path)
})

/** Debian's and k3s' own. */
const OF_OTHERS: ReadonlySet<string> = new Set([
  '/etc/nftables.conf',
  '/etc/ssh/new_host_key',
  '/etc/ssh/sshd_config',
  '/etc/postgresql/15/main',
  '/etc/rancher',
  '/var/lib/rancher',
  '/var/lib/kubelet',
  '/var/lib/cni',
])

const PUT_TOGETHER: Readonly<Record<string, string>> = {
  '/var/lib/twonode/journal': "join(stateDirectory, 'journal')",
  '/var/lib/twonode/salvage': "join(stateDirectory, 'salvage')",
  '/var/log/postgresql/postgresql-15-main.log': '/var/log/postgresql/postgresql-%i.log',
}

test('what a status or a timeline is said to say is what it says', () => {
  const quoted = found(/^((?!twonode |systemctl |journalctl |sudo )[a-z]+,? [a-z ,]+)$/g)
  expect(quoted.length).toBeGreaterThan(4)
  for (const words of quoted) expect(SOURCES, words).toContain(words)
})

test('the ports and networks on the page are the defaults of the inventory', () => {
  const rows = new Map(schemaRows(ONE_SITE_SCHEMA).map(({ key, fallback }) => [key, fallback]))
  for (const key of ['liveness.port', 'postgres.port', 'kine.port']) {
    const line = PAGE.split('\n').find((one) => one.includes(`\`${key}\``))
    expect(line, key).toContain(rows.get(key))
  }
  const filter = /^```nft\n([\s\S]*?)^```/m.exec(PAGE)?.[1] ?? ''
  for (const key of ['liveness.port', 'postgres.port', 'k3s.clusterCidr', 'k3s.serviceCidr'])
    expect(filter, key).toContain(rows.get(key)?.replaceAll('"', '') ?? key)
})

test('rules, errors, schemas and the jump on the page are the ones of the code', () => {
  const rules = new Set(RULES.map(({ id }) => id))
  const named = [...PAGE.matchAll(/\(?rules? `([\w-]+)`(?: and `([\w-]+)`)?/g)]
  const ids = named.flatMap(([, one, two]) => [one, two]).filter((id) => id !== undefined)
  expect(ids.length).toBeGreaterThan(5)
  for (const id of ids) expect(rules, id).toContain(id)
  for (const code of found(/\b(E_[A-Z_]+)\b/g)) expect(ERRORS).toHaveProperty(code)
  expect(SOURCES).toContain('twonode_branch_${')
  expect(PAGE).toContain(`${JUMP.toLocaleString('en')} higher`)
})
