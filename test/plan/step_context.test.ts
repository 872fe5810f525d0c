import { expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import type { PlanStep } from '../../src/core/plan.ts'
import { Secret } from '../../src/core/secret.ts'
import { stepContext } from '../../src/plan/step_context.ts'
import type { Names } from '../../src/plan/values.ts'
import { compileTasks, compileTexts } from './compile_text.ts'
import { fakeRegistry } from './fake_modules.ts'

/** What the runner knows when it runs a step. */
const NAMES: Names = {
  vars: { colour: 'blue', port: 5432, token: new Secret('planted-s3cret', 'env:TOKEN') },
  host: { name: 'h1', address: '10.0.0.1', role: 'leader', vars: {} },
  peer: { name: 'h2', address: '10.0.0.2', role: 'follower', vars: { a: 1, b: '{{ x }}' } },
  site: { name: 'site', leader: 'h1', term: 3, slot: null },
  facts: { hostname: 'h1', cpus: 2 },
}

const context = stepContext(fakeRegistry, new Map([['env:X', new Secret('other-s3cret', 'env:X')]]))

function first(tasks: string): PlanStep {
  const [step] = compileTasks(tasks).plan.plays[0]?.steps ?? []
  if (step === undefined) throw new Error('no step')
  return step
}

test('args are rendered with their types, and tainted by secrets', () => {
  const step = first(`- note:
    path: '/{{ vars.colour }}/{{ facts.hostname }}'
    count: '{{ vars.port }}'
    content: 'token={{ vars.token }}'
    password: !secret { env: X }
    names: ['{{ peer.name }}', '{{ site.leader }}']`)
  expect(context.renderArgs(step, NAMES)).toEqual({
    path: '/blue/h1',
    count: 5432,
    content: expect.any(Secret) as unknown,
    password: expect.any(Secret) as unknown,
    names: ['h2', 'h1'],
  })
})

test('CEL among the args is left to the module', () => {
  const step = first('- judge: { that: [\'vars.colour == "{{"\'] }')
  expect(context.renderArgs(step, NAMES)).toEqual({ that: ['vars.colour == "{{"'] })
  expect(context.evaluate('size(rows) == 1', step, { ...NAMES, rows: [1] })).toBe(true)
})

test('the text of a file is not rendered, a template file is, with its own places', () => {
  const { plan } = compileTexts({
    'playbook.yaml': `- hosts: all
  tasks:
    - note: { path: /a, src: a }
    - note: { path: /b, template: b }
`,
    a: '{{ literal',
    b: 'first\n  slot {{ site.slot }}\n',
  })
  const [src, template] = plan.plays[0]?.steps ?? []
  if (src === undefined || template === undefined) throw new Error('no steps')
  expect(context.renderArgs(src, NAMES)).toEqual({ path: '/a', content: '{{ literal' })
  const names = { ...NAMES, site: { slot: 'h2_1_1' } }
  expect(context.renderArgs(template, names)).toEqual({
    path: '/b',
    content: 'first\n  slot h2_1_1\n',
  })
  expect(troubleOf(() => context.renderArgs(template, NAMES))).toMatchObject({
    code: 'E_TEMPLATE',
    place: { file: 'b', line: 2, column: 11 },
  })
})

test('variables of the play are below those of the host and rendered with them', () => {
  const { plan } = compileTexts({
    'playbook.yaml': `- hosts: all
  vars: { mine: '{{ vars.base }}-{{ facts.cpus }}', base: play }
  tasks:
    - note: { path: '/{{ vars.mine }}' }
`,
  })
  const [step] = plan.plays[0]?.steps ?? []
  if (step === undefined) throw new Error('no step')
  expect(context.renderArgs(step, NAMES)).toEqual({ path: '/play-2' })
  const names = { ...NAMES, vars: { base: 'host' } }
  expect(context.renderArgs(step, names)).toEqual({ path: '/host-2' })
})

test('a step runs when its condition is true; anything but true or false fails it', () => {
  const when = (text: string) => context.when({ ...first('- judge: {}'), when: text }, NAMES)
  expect(context.when(first('- judge: {}'), NAMES)).toBe(true)
  expect(when('host.leads && site.term == 3')).toBe(true)
  expect(when('peer.leads')).toBe(false)
  expect(troubleOf(() => when('vars.colour'))).toMatchObject({ code: 'E_EXPRESSION' })
  expect(troubleOf(() => when('vars.nope == 1'))).toMatchObject({
    code: 'E_VARIABLE',
    message: 'vars.nope == 1: no such key: nope',
    place: { file: 'playbook.yaml', line: 3 },
  })
})

test('a loop gives its items, whatever type they have', () => {
  const step = first("- note: { path: '{{ item }}' }\n  loop: ['{{ vars.colour }}', b]")
  expect(context.loop(step, NAMES)).toEqual(['blue', 'b'])
  expect(context.loop(first('- judge: {}'), NAMES)).toBeUndefined()
  expect(
    troubleOf(() => context.loop({ ...step, loop: '{{ vars.port }}' }, NAMES)).message,
  ).toContain('not a list')
})

test('a step mentions what its texts name, wherever that is', () => {
  const step = first("- note: { path: '/{{ peer.name }}' }\n  when: site.term == 1")
  expect(['peer', 'site', 'vars', 'path'].map((name) => context.mentions(step, name))).toEqual([
    true,
    true,
    false,
    false,
  ])
})

test('no error on the host shows a value', () => {
  const step = first("- note: { path: '/{{ vars.colour }}' }")
  const vars = { colour: ['planted-s3cret'] }
  const trouble = troubleOf(() => context.renderArgs(step, { ...NAMES, vars }))
  expect(JSON.stringify(trouble)).not.toContain('planted')
})

function troubleOf(act: () => unknown) {
  try {
    act()
  } catch (error) {
    if (error instanceof TwonodeError) return error.toTrouble()
    throw error
  }
  throw new Error('nothing was refused')
}
