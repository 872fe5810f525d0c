import { expect, test } from 'vitest'
import { reveal } from '../../src/core/secret.ts'
import { compileTasks, compileTexts, INVENTORY, refusalsOf } from './compile_text.ts'

test('a play becomes steps with stable ids, defaults and places', () => {
  const { plan } = compileTexts({
    'playbook.yaml': `- name: First
  hosts: all
  tags: base
  tasks:
    - name: One
      note: { path: /one }
      tags: [extra, base]
      notify: tell
    - judge:
- hosts: follower
  rolling: true
  gate:
    - judge: {}
      until: "true"
      delay: 250ms
      timeout: 1m
  handlers:
    - name: tell
      note: { path: /one }
`,
  })
  expect(plan).toMatchObject({ format: 1, bundle: 'b'.repeat(64), version: '1.2.3' })
  expect(plan.plays.map(({ id, name, hosts, rolling }) => [id, name, hosts, rolling])).toEqual([
    [1, 'First', 'all', false],
    [2, 'unnamed play', 'follower', true],
  ])
  expect(plan.plays[0]?.steps).toEqual([
    {
      id: '1.1',
      name: 'One',
      module: 'note',
      args: { path: '/one' },
      notify: ['tell'],
      tags: ['base', 'extra'],
      retries: 0,
      delayMs: 1000,
      timeoutMs: 600_000,
      reads: [],
      place: { file: 'playbook.yaml', line: 5, column: 7 },
    },
    expect.objectContaining({ id: '1.2', name: 'judge', args: {} }),
  ])
  const [gate] = plan.plays[1]?.gate ?? []
  expect(gate).toMatchObject({
    id: '2.g1',
    until: 'true',
    retries: 3,
    delayMs: 250,
    timeoutMs: 60_000,
  })
  expect(plan.handlers.map(({ id, name }) => [id, name])).toEqual([['h.1', 'tell']])
})

const build = () => compileTasks('- note: { path: "{{ vars.colour }}" }').plan

test('the same input gives the same plan, and a plan survives JSON', () => {
  expect(JSON.stringify(build())).toBe(JSON.stringify(build()))
  expect(JSON.parse(JSON.stringify(build()))).toEqual(build())
})

test('variables come from five levels, the playbook lowest and the command line highest', () => {
  const { plan } = compileTexts(
    {
      'inventory.yaml': `defaults:
  vars: { b: defaults, c: defaults, d: defaults, e: defaults }
sites:
  s:
    vars: { c: site, d: site, e: site }
    hosts:
      - { name: h1, address: 10.0.0.1, vars: { d: host, e: host } }
      - { name: h2, address: 10.0.0.2 }
`,
      'playbook.yaml': `- hosts: all
  vars: { a: playbook, b: playbook, c: playbook, d: playbook, e: playbook }
  tasks:
    - note: { path: '/{{ vars.a }}{{ vars.b }}{{ vars.c }}{{ vars.d }}{{ vars.e }}' }
`,
    },
    { extra: ['e=line'] },
  )
  expect(plan.vars).toEqual({
    h1: { b: 'defaults', c: 'site', d: 'host', e: 'line' },
    h2: { b: 'defaults', c: 'site', d: 'site', e: 'line' },
  })
  expect(plan.plays[0]?.steps[0]?.vars).toEqual({ a: 'playbook' })
})

test('what an import sets is above what the imported play sets, and conditions are joined', () => {
  const { plan } = compileTexts({
    'playbook.yaml':
      '- import: sub/other.yaml\n  vars: { x: outer }\n  when: site.term > 1\n  tags: t\n',
    'sub/other.yaml': `- hosts: leader
  vars: { x: inner, y: inner }
  tasks:
    - import: tasks.yaml
      when: vars.y == "inner"
`,
    'sub/tasks.yaml': '- note: { path: "/{{ vars.x }}" }\n  when: host.leads\n',
  })
  const [step] = plan.plays[0]?.steps ?? []
  expect(step).toMatchObject({
    vars: { x: 'outer', y: 'inner' },
    when: '(site.term > 1) && (vars.y == "inner") && (host.leads)',
    tags: ['t'],
    place: { file: 'sub/tasks.yaml', line: 1 },
  })
})

test('secrets stay references in the plan and travel beside it', () => {
  const { plan, secrets } = compileTasks(`- note:
    path: /a
    content: 'x {{ vars.token }}'
    password: '{{ vars.token }}'
- note: { path: /b, content: !secret { exec: [pass, b] } }`)
  expect(plan.vars['h1']?.['token']).toEqual({ $secret: 'env:TOKEN' })
  expect(JSON.stringify(plan)).not.toContain('secret of')
  expect([...secrets.keys()]).toEqual(['env:TOKEN', 'exec:["pass","b"]'])
  expect([...secrets.values()].map(reveal)).toEqual([
    'secret of env:TOKEN',
    'secret of exec:["pass","b"]',
  ])
})

const sha = (size: number) => size.toString(16).padStart(64, '0')

test('files become text, templates stay templates, blobs become checksums', () => {
  const { plan, blobs } = compileTexts({
    'playbook.yaml': `- import: sub/play.yaml\n`,
    'sub/play.yaml': `- hosts: all
  tasks:
    - note: { path: /a, src: files/a }
    - note: { path: /b, template: 'files/{{ site.name }}.hbs' }
    - binary: { path: /c, source: { path: c.bin } }
    - binary: { path: /d, source: '{{ site.kine.binary }}' }
    - binary: { path: /e, source: '{{ site.k3s.binary }}' }
`,
    'sub/files/a': 'literal {{ braces }}',
    'sub/files/site.hbs': 'name {{ host.name }}',
    'sub/c.bin': '1234',
    'bin/kine': '12345',
    'inventory.yaml': `${INVENTORY}kine: { path: bin/kine }
k3s: { url: 'https://example.org/k3s', sha256: ${'ab'.repeat(32)} }
`,
  })
  expect(plan.plays[0]?.steps.map(({ args }) => args)).toEqual([
    { path: '/a', content: { $text: 'literal {{ braces }}' } },
    { path: '/b', content: { $template: 'name {{ host.name }}', file: 'sub/files/site.hbs' } },
    { path: '/c', source: { blob: 'c.bin', sha256: sha(4) } },
    { path: '/d', source: { blob: 'kine', sha256: sha(5) } },
    { path: '/e', source: { url: 'https://example.org/k3s', sha256: 'ab'.repeat(32) } },
  ])
  expect([...blobs]).toEqual([
    [sha(4), { path: 'sub/c.bin', size: 4, name: 'c.bin' }],
    [sha(5), { path: 'bin/kine', size: 5, name: 'kine' }],
  ])
  expect(plan.site.kine.binary).toEqual({ path: 'kine' })
})

test('a file whose name only the host knows, or that differs between hosts, is refused', () => {
  const refused = ['{{ facts.hostname }}', '{{ host.name }}'].map((name) =>
    refusalsOf(() => compileTasks(`- note: { path: /a, src: '${name}' }`)),
  )
  expect(refused.flat().map(({ message }) => message)).toEqual([
    expect.stringContaining('known before the run'),
    expect.stringContaining('known before the run'),
  ])
})

const neverRuns = () =>
  compileTasks(`- note: { path: '{{ site.virtualIp.address }}' }
  when: site.virtualIp != null && host.leads
- note: { path: '{{ vars.only_h1 }}' }
  when: has(vars.only_h1)`)

test('a task that never runs on a host is not judged with the values of that host', () => {
  expect(neverRuns).not.toThrow()
})

const partlyKnown = (more: string) => () =>
  compileTasks(
    `- note: { path: '{{ facts.hostname }}', state: '{{#if host.leads}}present{{else}}absent{{/if}}', ${more} }`,
  )

test('an argument that only the host knows is judged there, the others here', () => {
  expect(partlyKnown('count: 3')).not.toThrow()
  expect(partlyKnown("count: '{{ facts.cpus }}'")).not.toThrow()
  expect(partlyKnown('count: many')).toThrow(/count: must be integer/)
  expect(partlyKnown('typo: 1')).toThrow(/unknown key typo/)
})

test('loops are judged item by item', () => {
  const { plan } = compileTasks(`- note: { path: '{{ item.path }}', count: '{{ item.n }}' }
  loop: [{ path: /a, n: 1 }, { path: /b, n: 2 }]
- note: { path: '/x{{ item }}' }
  loop: '{{ vars.list }}'
- note: { path: '/{{ item.whatever }}' }
  loop: '{{ facts.interfaces }}'`)
  expect(plan.plays[0]?.steps[1]?.loop).toBe('{{ vars.list }}')
  expect(() => compileTasks("- note: { path: '{{ item }}' }\n  loop: '{{ vars.colour }}'")).toThrow(
    /loop is text, not a list/,
  )
})

test('a step reads what it names, found in its trees and nowhere else', () => {
  const { plan } = compileTasks(`- judge: {}
  register: one
- judge: {}
  register: two
- judge: {}
  register: three
- note: { path: /a, content: '{{#if one.changed}}{{ vars.colour }} two{{/if}}' }
  when: two.changed
- judge: { that: ['three.changed == "one"'] }
  register: own
  until: own.changed`)
  const reads = plan.plays[0]?.steps.map((step) => step.reads)
  expect(reads).toEqual([[], [], [], ['one', 'two'], ['three']])
})

test('names of a condition among arguments are those that the schema gives', () => {
  expect(() => compileTasks("- judge: { failed_when: 'result.code > vars.port' }")).not.toThrow()
})

const twoOwners =
  (first: string, second: string, when = '') =>
  () =>
    compileTexts({
      'playbook.yaml': `- hosts: ${first}
  tasks:
    - note: { path: /a }
- hosts: ${second}
  tasks:
    - note: { path: /a }
      ${when}
`,
    })

test('two tasks may own one thing where they never meet', () => {
  expect(twoOwners('leader', 'follower')).not.toThrow()
  expect(twoOwners('h1', 'h2')).not.toThrow()
  expect(twoOwners('all', 'all', 'when: host.leads')).not.toThrow()
  expect(twoOwners('leader', 'h1')).toThrow(/managed by/)
  expect(twoOwners('all', 'follower')).toThrow(/managed by/)
  expect(twoOwners('h1', 'h1')).toThrow(/managed by/)
})

const withVars = (tasks: string) => () =>
  compileTexts({
    'playbook.yaml': `- hosts: all
  vars: { dir: '/srv/{{ site.name }}', file: '{{ vars.dir }}/{{ vars.colour }}' }
  tasks: [${tasks}]
`,
  })

test('a variable may hold a template that names others, and is rendered where it is used', () => {
  const { plan } = withVars("{ note: { path: '{{ vars.file }}' } }")()
  expect(plan.plays[0]?.steps[0]?.args).toEqual({ path: '{{ vars.file }}' })
  const both = "{ note: { path: '{{ vars.file }}' } }, { note: { path: /srv/site/blue } }"
  expect(withVars(both)).toThrow(/note:\/srv\/site\/blue is managed/)
})

test('a task that runs only when it is asked for owns nothing', () => {
  const both = '- note: { path: /a }\n- { note: { path: /a }, tags: TAGS }'
  expect(() => compileTasks(both.replace('TAGS', '[other]'))).toThrow(/note:\/a is managed/)
  expect(() => compileTasks(both.replace('TAGS', '[never, other]'))).not.toThrow()
})

const twoHandlers = (second: string) => () =>
  compileTexts({
    'playbook.yaml': `- hosts: all
  tasks: [{ note: { path: /a }, notify: [late] }]
- hosts: all
  handlers: [{ name: late, judge: {} }]
- hosts: all
  handlers: [{ name: ${second}, judge: {} }]
`,
  })

test('handlers have one name in all plays, and may be notified from any of them', () => {
  expect(twoHandlers('other')).not.toThrow()
  expect(twoHandlers('late')).toThrow(/handler "late" already/)
})

test('all errors of a run come at once, in the order of their places', () => {
  const found = refusalsOf(() =>
    compileTasks(
      '- note: { path: "{{ vars.x }}" }\n- nota: {}\n- note: { path: /a, b: 1 }\n  when: y',
    ),
  )
  expect(found.map(({ place }) => place?.line)).toEqual([3, 4, 5, 6])
})
