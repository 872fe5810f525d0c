import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { array, assert, constantFrom, oneof, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'
import type { Plan } from '../../src/core/plan.ts'
import { redactor, reveal, Secret } from '../../src/core/secret.ts'
import { compile, type Compiled } from '../../src/plan/compile.ts'
import { parseInventory } from '../../src/plan/inventory.ts'
import { parsePlaybook } from '../../src/plan/playbook.ts'
import { secretOrigin } from '../../src/plan/secret_source.ts'
import {
  fillCompiled,
  parseSecretsFile,
  parseSiteFile,
  readSite,
  secretsFileText,
  siteFileText,
} from '../../src/plan/site_file.ts'
import { memoryFiles } from './compile_text.ts'

const PACKAGED = 'playbooks'

const INVENTORY = `name: edge
hosts:
  - { name: h1, address: 10.0.0.11, vars: { own: !secret { env: ONLY_H1 } } }
  - { name: h2, address: 10.0.0.12 }
virtualIp: { address: 10.0.0.10, prefix: 24, interface: eth0 }
kine: { path: kine }
k3s: { path: k3s }
vars:
  token: !secret { file: secrets/token }
`

const PLAYBOOK = `- import: twonode/site.yaml
- hosts: all
  tasks:
    - name: The token of ours
      file: { path: /etc/ours, content: '{{vars.token}}' }
    - name: The token of the playbook
      file: { path: /etc/theirs, content: !secret { file: token } }
- hosts: h2
  tasks:
    - file: { path: /etc/at-h2, content: !secret { env: ONLY_H2 } }
`

interface Laptop {
  readonly folder: string
  readonly playbook?: string
  readonly inventory?: string
  readonly custom?: string
  /** Text of `sub/more.yaml`. */
  readonly more?: string
}

/** The packaged playbooks and one of a user's own, as they lie on a laptop. */
function compiledOn({
  folder,
  playbook = PLAYBOOK,
  inventory = INVENTORY,
  custom,
  more = '',
}: Laptop): Compiled {
  const names = readdirSync(PACKAGED, { recursive: true, encoding: 'utf8' })
  const packaged = names
    .filter((name) => /\.[a-z0-9]+$/.test(name))
    .map(
      (name) =>
        [join(folder, 'twonode', name), readFileSync(join(PACKAGED, name), 'utf8')] as const,
    )
  const files = memoryFiles({
    ...Object.fromEntries(packaged),
    [join(folder, 'play.yaml')]: playbook,
    [join(folder, 'sub/more.yaml')]: more,
    [join(folder, 'kine')]: 'kine',
    [join(folder, 'k3s')]: 'k3s',
  })
  const [site] = parseInventory(inventory, join(folder, 'inventory.yaml')).sites.values()
  if (site === undefined) throw new Error('no site')
  return compile({
    site,
    playbook: parsePlaybook(join(folder, 'play.yaml'), files),
    registry,
    validate,
    extraVars: [],
    files,
    readSecret: (source) =>
      new Secret(`value of ${source.id.replace(folder, '')}`, secretOrigin(source)),
    bundle: 'b'.repeat(64),
    version: '1.2.3',
    customModules:
      custom === undefined
        ? []
        : [{ name: 'own', sha256: sha256(custom), source: custom, schema: {} }],
  })
}

const ana = compiledOn({ folder: '/home/ana/sites' })
const text = siteFileText(ana)
const secretsOn = ({ plan, secrets }: Compiled, host: string) =>
  reveal(secretsFileText({ plan, secrets, host }))

const namesOn = (host: string) => [...parseSecretsFile(secretsOn(ana, host)).keys()]

const sha256 = (source: string) => createHash('sha256').update(source).digest('hex')
const why = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}

describe('the site file', () => {
  test('two laptops write the same bytes, whatever their folders', () => {
    const ben = compiledOn({ folder: '/srv/infra/edge/checkout' })
    expect(siteFileText(ben)).toBe(text)
    for (const host of ['h1', 'h2']) expect(secretsOn(ben, host)).toBe(secretsOn(ana, host))
    expect(text).not.toMatch(/\/home|sites/)
  })

  test('holds the whole plan but what writes it, and what waits for an agent to have read it', () => {
    const plan = parseSiteFile(text)
    const written = ana.plan.plays.flatMap(({ steps }) => steps)
    const kept = plan.plays.flatMap(({ steps }) => steps.map(({ id }) => id))
    const left = written.filter(({ id }) => !kept.includes(id))
    expect(left.map(({ module }) => module)).toEqual(['file', 'file', 'wait_for'])
    expect(plan.handlers.map(({ name }) => name)).toEqual(ana.plan.handlers.map(({ name }) => name))
    expect({ site: plan.site, version: plan.version, bundle: plan.bundle }).toEqual({
      site: ana.plan.site,
      version: '1.2.3',
      bundle: 'b'.repeat(64),
    })
    // What a host that converges itself would keep is the same file.
    expect(siteFileText({ plan, secrets: new Map() })).toBe(text)
  })

  test('names secrets and holds none', () => {
    expect(text).not.toContain('value of')
    expect(text).toContain('$secret: file:secrets/token')
    expect(text).toContain('$secret: env:ONLY_H1')
  })

  test('any text of a task comes back to the byte', () => {
    const strings = string({ unit: 'grapheme', maxLength: 60 })
    const lines = array(
      oneof(strings, constantFrom('', ' ', '\t', '- a: b', '# c', '---', '...')),
      { maxLength: 5 },
    )
    assert(
      property(lines, constantFrom('', '\n', '\n\n'), (parts, end) => {
        const content = parts.join('\n') + end
        const args = { path: '/etc/x', content: { $text: content } }
        const [first] = ana.plan.plays
        const [step] = first?.steps ?? []
        if (first === undefined || step === undefined) throw new Error('the plan has no step')
        const plan: Plan = {
          ...ana.plan,
          handlers: [],
          plays: [{ ...first, steps: [{ ...step, args }] }],
        }
        expect(parseSiteFile(siteFileText({ ...ana, plan })).plays[0]?.steps[0]?.args).toEqual(args)
      }),
      { numRuns: 200 },
    )
  })

  test('records the modules of its own, by hash', () => {
    const source = "export default { name: 'own' }"
    const compiled = compiledOn({ folder: '/a', custom: source })
    const { plan, secrets } = compiled
    expect(parseSiteFile(siteFileText(compiled)).customModules).toEqual([
      { name: 'own', sha256: sha256(source), source, schema: {} },
    ])
    const [module] = plan.customModules
    if (module === undefined) throw new Error('no module')
    const swapped: Plan = { ...plan, customModules: [{ ...module, source: 'evil()' }] }
    expect(why(() => parseSiteFile(siteFileText({ plan: swapped, secrets })))).toMatchObject({
      code: 'E_SITE_FILE',
    })
  })
})

describe('a site file that is not the one that was written', () => {
  test('cut anywhere is refused', () => {
    // Every line's end, where what is left may well be YAML, and points within lines.
    const cuts = [...text.trimEnd().matchAll(/\n/g)].map(({ index }) => index)
    const every = Math.ceil(cuts.length / 24)
    const some = cuts.filter((_, i) => i % every === 0 || i > cuts.length - 8)
    for (const at of [0, 1, ...some.flatMap((cut) => [cut - 2, cut])])
      expect(
        why(() => parseSiteFile(text.slice(0, at))),
        `cut at ${at}`,
      ).toMatchObject({
        code: 'E_SITE_FILE',
        exitCode: 5,
      })
  })

  test.each([
    ['edited', (whole: string) => whole.replace('_size: "1GB"', '_size: "9GB"'), 'edited'],
    [
      'of another format',
      (whole: string) => whole.replace('format: 1', 'format: 2'),
      'has format 2',
    ],
    ['with a key too many', (whole: string) => `${whole}more: 1\n`, 'has a key "more"'],
    ['hostMeta', () => 'format: 1\nsite: edge\nterm: 1\n', 'has a key "site"'],
    ['no YAML', () => '{', 'torn'],
    ['a list', () => '- 1\n', 'is no site file'],
    ['empty', () => '', 'is no site file'],
  ])('%s is refused', (_, change, words) => {
    expect(change(text)).not.toBe(text)
    expect(why(() => parseSiteFile(change(text)))).toMatchObject({
      code: 'E_SITE_FILE',
      message: expect.stringContaining(words) as string,
    })
  })
})

describe("a host's secrets", () => {
  test('are those that its own tasks can use, in either role', () => {
    expect(namesOn('h1')).toEqual(['env:ONLY_H1', 'file:secrets/token', 'file:token'])
    expect(namesOn('h2')).toEqual(['env:ONLY_H2', 'file:secrets/token', 'file:token'])
  })

  test("are the peer's as well where a task reads the peer's variables", () => {
    const peeking = `${PLAYBOOK}- hosts: h2\n  tasks:\n    - file: { path: /etc/peer, content: '{{peer.vars.own}}' }\n`
    const compiled = compiledOn({ folder: '/a', playbook: peeking })
    expect([...parseSecretsFile(secretsOn(compiled, 'h2')).keys()]).toContain('env:ONLY_H1')
  })

  test('keep their names apart where two folders say the same', () => {
    const playbook = `- import: sub/more.yaml\n${PLAYBOOK}`
    const more =
      '- hosts: all\n  tasks:\n    - file: { path: /etc/more, content: !secret { file: token } }\n'
    for (const folder of ['/z', '/home/ana']) {
      const compiled = compiledOn({ folder, playbook, more })
      const found = parseSecretsFile(secretsOn(compiled, 'h1'))
      expect(reveal(found.get('file:token') ?? '')).toBe('value of file:/sub/token')
      expect(reveal(found.get('file:token#2') ?? '')).toBe('value of file:/token')
    }
  })

  test('resolve every reference of the site file', () => {
    const { plan, secrets } = readSite({ site: text, secrets: secretsOn(ana, 'h1') }, 'h1')
    expect(reveal(secrets.get('file:secrets/token') ?? '')).toBe('value of file:/secrets/token')
    expect(plan.site.name).toBe('edge')
  })

  test('are refused when they are not all there, torn, or for another host', () => {
    const own = secretsOn(ana, 'h1')
    for (const [secrets, host, words] of [
      ['{"format":1,"secrets":{}}', 'h1', 'has no '],
      [own, 'h2', 'has no env:ONLY_H2'],
      [own.replace('{"env', '{"file:token#2":"other","env'), 'h1', 'has file:token#2'],
      [own, 'h3', 'has no host h3'],
      [own.slice(0, -4), 'h1', 'is torn'],
      ['{"format":2,"secrets":{}}', 'h1', 'has format 2'],
      ['{"format":1,"secrets":{"a":1}}', 'h1', 'holds no secrets'],
    ] as const)
      expect(why(() => readSite({ site: text, secrets }, host))).toMatchObject({
        code: 'E_SITE_FILE',
        message: expect.stringContaining(words) as string,
      })
  })

  test('do not make ordinary words of the output into masks', () => {
    const file = secretsFileText({ plan: ana.plan, secrets: new Map(), host: 'h1' })
    expect(redactor([file])('"secrets": {\n}')).toBe('"secrets": {\n}')
  })
})

describe('a task whose content is compiled', () => {
  test('gets the site as text and the secrets as a secret, on the host', () => {
    const filled = fillCompiled({ ...ana, host: 'h1' })
    const steps = filled.plan.plays.flatMap(({ steps: all }) => all)
    const contentOf = (path: string) =>
      steps.find(({ args }) => args['path'] === path)?.args['content'] as Record<string, string>
    expect(contentOf('/etc/twonode/site.yaml')).toEqual({ $text: text })
    const id = contentOf('/etc/twonode/secrets')['$secret'] ?? ''
    expect(reveal(filled.secrets.get(id) ?? '')).toBe(secretsOn(ana, 'h1'))
  })

  test('is in the packaged site.yaml only: no look and no small playbook writes the site file', () => {
    const names = readdirSync(PACKAGED).filter((name) => name.endsWith('.yaml'))
    const writing = names.filter((name) =>
      readFileSync(join(PACKAGED, name), 'utf8').includes('compiled:'),
    )
    expect(writing).toEqual(['site.yaml'])
    const small = compiledOn({
      folder: '/a',
      playbook: '- hosts: all\n  tasks:\n    - file: { path: /etc/motd, content: hi }\n',
    })
    expect(fillCompiled({ ...small, host: 'h1' }).plan).toBe(small.plan)
  })
})
