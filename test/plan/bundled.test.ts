import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'
import type { PlanStep } from '../../src/core/plan.ts'
import { Secret } from '../../src/core/secret.ts'
import { type BundledPlan, bundledPlan } from '../../src/plan/bundled.ts'
import { compile } from '../../src/plan/compile.ts'
import { parseInventory } from '../../src/plan/inventory.ts'
import { type Files, parsePlaybook } from '../../src/plan/playbook.ts'

const SUM = 'a'.repeat(64)

/** Compiled with the real modules, and bundled. */
function bundled(playbook: string, inventory = ''): BundledPlan {
  const texts: Readonly<Record<string, string>> = {
    'inventory.yaml': `name: shop
hosts:
  - { name: h1, address: 10.0.0.1, vars: { tool: jq } }
  - { name: h2, address: 10.0.0.2, vars: { tool: yq }, postgres: { version: 16 } }
${inventory}`,
    'playbook.yaml': playbook,
  }
  const files: Files = {
    read: (path) => texts[path] ?? (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
    digest: () => ({ sha256: SUM, size: 1 }),
  }
  const [site] = parseInventory(texts['inventory.yaml'] ?? '', 'inventory.yaml').sites.values()
  if (site === undefined) throw new Error('no site')
  const { plan, secrets } = compile({
    site,
    playbook: parsePlaybook(existsSync(playbook) ? playbook : 'playbook.yaml', files),
    registry,
    validate,
    extraVars: [],
    files,
    readSecret: ({ id }) => new Secret('a secret', id),
    bundle: '0'.repeat(64),
    version: '0.0.0',
  })
  return bundledPlan(plan, secrets)
}

function tasks(...lines: readonly string[]): string {
  return ['- hosts: all', '  tasks:', ...lines.map((line) => `    - ${line}`)].join('\n')
}

function sources({ plan }: BundledPlan): readonly unknown[] {
  return plan.plays.flatMap(({ steps }) => steps.map(({ args }: PlanStep) => args['source']))
}

const BUNDLED = { host_path: `/opt/twonode/site/files/${SUM}`, sha256: SUM }

test('what would be sent or fetched is taken from the bundle on the host, each file once', () => {
  const made = bundled(
    tasks(
      'artifact: { path: /a, source: { path: kine } }',
      `artifact: { path: /b, source: { url: "https://example.org/b" }, sha256: ${SUM} }`,
      `artifact: { path: /c, source: { url: "https://example.org/b", sha256: ${SUM} } }`,
      `artifact: { path: /d, source: { host_path: /srv/d }, sha256: ${SUM} }`,
    ),
  )
  expect(sources(made)).toEqual([BUNDLED, BUNDLED, BUNDLED, { host_path: '/srv/d' }])
  expect(made.files).toEqual([{ sha256: SUM, url: 'https://example.org/b' }])
})

test('packages of both hosts are named, whatever their conditions; what is taken away is not', () => {
  const made = bundled(
    tasks(
      "package: { name: ['postgresql-{{ site.postgres.version }}', iproute2] }",
      "package: { name: '{{ vars.tool }}' }\n      when: facts.architecture == 'x86_64'",
      "package: { name: '{{ item }}' }\n      loop: [bb, aa]",
      'package: { name: nano, state: absent }',
    ),
  )
  expect(made.packages).toEqual([
    'aa',
    'bb',
    'iproute2',
    'jq',
    'postgresql-15',
    'postgresql-16',
    'yq',
  ])
})

test('what only a host knows is refused, with its place', () => {
  expect(() => bundled(tasks("package: { name: 'linux-{{ facts.architecture }}' }"))).toThrow(
    'only a host knows the name of its package',
  )
  expect(() =>
    bundled(tasks("package: { name: '{{ item }}' }\n      loop: '{{ facts.interfaces }}'")),
  ).toThrow('only a host knows the list that it goes through')
})

test("the package's own playbook needs nothing from outside once it is bundled", () => {
  const made = bundled('playbooks/site.yaml', 'kine: { path: kine }\nk3s: { path: k3s }')
  expect(made.packages).toEqual([
    'iproute2',
    'iputils-arping',
    'iputils-ping',
    'postgresql-15',
    'postgresql-16',
  ])
  const text = JSON.stringify(made.plan.plays)
  expect(text).not.toMatch(/"blob"|"url":/)
})
