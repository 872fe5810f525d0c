import { expect, test } from 'vitest'
import { command } from '../../modules/command.ts'
import { localWorld } from '../support/local_world.ts'
import { evaluateNames, moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(command)
moduleLaws(command, localWorld, [
  {
    title: 'until a path is there',
    args: { argv: ['touch', 'made'], chdir: 'ROOT', creates: 'ROOT/made' },
  },
  {
    title: 'unless another command says that it is done',
    args: { argv: ['touch', 'ROOT/made'], unless: ['test', '-e', 'ROOT/made'] },
  },
])

const outcome = { code: 1, stdout: '', stderr: 'warning\nalready prepared\n' }

test('failed_when judges a command by its words', () => {
  const args = {
    argv: ['x'],
    failed_when: "!result.stderr.contains('already')",
    changed_when: 'false',
  }
  expect(command.verdict?.(outcome, args, evaluateNames)).toEqual({ changed: false })
})

test('a command that fails says its code and its last words', () => {
  expect(command.verdict?.(outcome, { argv: ['x'] }, evaluateNames)).toEqual({
    changed: true,
    failed: 'it exited 1: already prepared',
  })
})

test('a command without a guard is not looked at again', () => {
  expect(command.settles?.({ argv: ['x'] })).toBe(false)
  expect(command.settles?.({ argv: ['x'], creates: '/x' })).toBe(true)
})
