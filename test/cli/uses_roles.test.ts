import { expect, test } from 'vitest'
import type { PlanPlay, PlanStep } from '../../src/core/plan.ts'
import { usesRoles } from '../../src/cli/uses_roles.ts'
import { planOf, step } from '../support/engine_run.ts'

const file = (more: Partial<PlanStep> = {}) =>
  step('a', 'file', { path: '/x', content: '{{ host.name }}', mode: '0644' }, more)
const plan = (more: Partial<PlanPlay>) => planOf([{ steps: [file()], ...more }])

test.each([
  ['a play of the leader', plan({ hosts: 'leader' })],
  ['a condition on the role', plan({ steps: [file({ when: "host['role'] == 'leader'" })] })],
  ['a gate', plan({ gate: [file({ args: { content: '{{ site.term }}' } })] })],
  ['a handler', planOf([{}], [file({ loop: '{{ peer.role }}' })])],
  ['a variable', { ...plan({}), vars: { h1: { to: '{{#with host}}{{role}}{{/with}}' } } }],
  ['a host_meta', plan({ steps: [step('m', 'host_meta', {})] })],
])('%s makes a plan depend on who leads', (_, some) => {
  expect(usesRoles(some)).toBe(true)
})

test('a plan of files for both hosts, or for one by name, does not', () => {
  expect([usesRoles(plan({})), usesRoles(plan({ hosts: 'h1' }))]).toEqual([false, false])
})
