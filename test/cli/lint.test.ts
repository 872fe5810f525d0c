import { expect, test } from 'vitest'
import type { Plan, PlanStep } from '../../src/core/plan.ts'
import { lint } from '../../src/cli/lint.ts'
import { SITE } from './support/scripted_pair.ts'

function step(more: Partial<PlanStep>): PlanStep {
  return {
    id: '1.1',
    name: 'A task',
    module: 'file',
    args: {},
    notify: [],
    tags: [],
    retries: 0,
    delayMs: 1000,
    timeoutMs: 1000,
    reads: [],
    place: { file: 'site.yaml', line: 3, column: 7 },
    ...more,
  }
}

function warnings(
  steps: readonly PlanStep[],
  handlers: readonly PlanStep[] = [],
): readonly string[] {
  const plan: Plan = {
    format: 1,
    bundle: '',
    version: '1.0.0',
    site: SITE,
    vars: {},
    plays: [{ id: 1, name: 'Base', hosts: 'all', rolling: false, gate: [], steps }],
    handlers,
    customModules: [],
  }
  return lint(plan, '/package/playbooks')
}

test('a plain task is no reason for a warning', () => {
  expect(warnings([step({})])).toEqual([])
})

test.each([
  ['a task without a name', step({ name: 'file' }), 'the task has no name'],
  [
    'a command that always runs',
    step({ module: 'command', args: { argv: ['date'] } }),
    'counts as a change, in every converge',
  ],
  [
    'a restart that is no handler',
    step({ module: 'systemd_unit', args: { state: 'restarted' } }),
    'make it a handler',
  ],
  [
    'a register that nobody reads',
    step({ register: 'found' }),
    'nothing reads what is registered as "found"',
  ],
])('%s is named with its place', (_, task, warning) => {
  const [only, ...more] = warnings([task])
  expect(only).toMatch(/^site\.yaml:3:7: /)
  expect(only).toContain(warning)
  expect(more).toEqual([])
})

test.each([
  ['a command that guards itself', step({ module: 'command', args: { creates: '/x' } })],
  ['a task that is tried again when it fails', step({ retries: 3 })],
  ['a command that only reads', step({ module: 'command', args: { read_only: true } })],
  ['a command with a condition', step({ module: 'command', when: 'true' })],
  [
    "a register of the package's own playbooks, which the agent reads",
    step({ register: 'd', place: { file: '/package/playbooks/role.yaml', line: 1, column: 1 } }),
  ],
  ['a register that until reads', step({ register: 'found', until: 'found.ok', retries: 3 })],
])('%s is none', (_, task) => {
  expect(warnings([task])).toEqual([])
})

test('a restart in a handler is what handlers are for; one that nobody notifies is named', () => {
  const handler = step({ name: 'Restart', module: 'systemd_unit', args: { state: 'restarted' } })
  expect(warnings([step({ notify: ['Restart'] })], [handler])).toEqual([])
  expect(warnings([step({})], [handler])).toEqual([
    'site.yaml:3:7: Restart: no task notifies the handler "Restart"',
  ])
})

test('a play without tasks is named', () => {
  expect(warnings([])).toEqual(['play "Base" has no tasks'])
})
