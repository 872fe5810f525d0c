import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import {
  converge,
  explain,
  finished,
  startTwonode,
  type Laptop,
} from '../../lab/twonode_process.ts'
import { parseSiteFile, readSite, SECRETS_FILE, SITE_FILE } from '../../src/plan/site_file.ts'
import { convergedPair, inHost, mustConverge, stepNames, theLab } from './pair.ts'
import { leavesThePair } from './standing_pair.ts'

const HOSTS = ['h1', 'h2'] as const
const APPLIED = '/etc/twonode/applied.json'

let from: Laptop

beforeAll(async () => {
  ;({ from } = await convergedPair())
})
leavesThePair(theLab)

test('each host holds the same compiled site, the secrets of its tasks, and every binary that they install', async () => {
  const [first, second] = await Promise.all(HOSTS.map((host) => inHost(host, ['cat', SITE_FILE])))
  expect(first).toBe(second)
  for (const host of HOSTS) {
    const secrets = await inHost(host, ['cat', SECRETS_FILE])
    const { plan } = readSite({ site: first ?? '', secrets }, host)
    expect(await inHost(host, ['stat', '-c', '%U %a', SECRETS_FILE])).toBe('root 600')
    const artifacts = plan.plays
      .flatMap(({ steps }) => steps)
      // What goes through a list has none here: this site has no images of its own.
      .filter(({ module, loop }) => module === 'artifact' && loop === undefined)
    expect(artifacts).not.toEqual([])
    for (const { args } of artifacts) {
      // Installed already: a converge without a laptop needs no blob.
      const { path, source } = args as { path: string; source: { sha256: string } }
      expect(await inHost(host, ['sha256sum', path])).toContain(source.sha256)
    }
  }
})

test('a playbook of its own says so itself, and the hash of its module is recorded', async () => {
  const folder = join(from.home, 'own')
  mkdirSync(join(folder, 'modules'), { recursive: true })
  writeFileSync(join(folder, 'modules/greeting.mjs'), GREETING)
  writeFileSync(join(folder, 'play.yaml'), PLAYBOOK)
  const args = ['converge', join(folder, 'play.yaml'), '-i', from.inventory, '--json']
  const run = await finished(startTwonode(from, args), 120_000)
  expect(run.code, explain(run)).toBe(0)
  const plan = parseSiteFile(await inHost('h2', ['cat', '/etc/twonode/own.yaml']))
  expect(plan.customModules).toMatchObject([
    { name: 'greeting', sha256: createHash('sha256').update(GREETING).digest('hex') },
  ])
  expect(plan.plays.flatMap(({ steps }) => steps.map(({ name }) => name))).toEqual(['Greet'])
})

test('an older twonode is refused with exit 5 and changes nothing, unless it is allowed to go back', async () => {
  const newer = '{"format":1,"version":"99.0.0","by":"ana@desk","at":"2026-11-01","runId":"r"}'
  await inHost('h2', ['sh', '-c', `echo '${newer}' > ${APPLIED}`])
  // Something that a run would mend.
  await inHost('h1', ['chmod', '0644', SECRETS_FILE])
  const refused = await converge(from)
  expect(refused.code, explain(refused)).toBe(5)
  expect(refused.stdout).toContain('E_DOWNGRADE')
  expect(refused.stdout).toContain('99.0.0 by ana@desk')
  expect(stepNames(refused, 'changed')).toEqual([])
  expect(await inHost('h1', ['stat', '-c', '%a', SECRETS_FILE])).toBe('644')

  await inHost('h2', ['chmod', '0644', SECRETS_FILE])
  const allowed = await mustConverge(from, ['--allow-downgrade'])
  const mended = HOSTS.map((host) => `${host}: The secrets that its tasks use are on this host`)
  expect(stepNames(allowed, 'changed').toSorted()).toEqual(mended)
  expect(await inHost('h2', ['cat', APPLIED])).not.toContain('99.0.0')
  await mustConverge(from)
})

const GREETING = `import { defineModule } from 'twonode'
export default defineModule({
  name: 'greeting',
  doc: { summary: 'Greets.', source: 'https://example.org', examples: [] },
  schema: { type: 'object', additionalProperties: false, properties: {} },
  key: () => [],
  observe: async () => ({}),
  diff: () => [],
})
`

const PLAYBOOK = `- hosts: all
  tasks:
    - name: Greet
      greeting: {}
    - name: The compiled site of this playbook
      file: { path: /etc/twonode/own.yaml, compiled: site, mode: '0600' }
`
