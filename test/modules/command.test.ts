import { expect, test } from 'vitest'
import type { ExecResult } from '../../src/core/host.ts'
import { apply } from '../../src/engine/apply.ts'
import { command } from '../../modules/command.ts'
import { testClock } from '../support/engine_run.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'
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

/** Applies the changes of a command that ends so. */
async function applied(args: { readonly argv: string[]; readonly failed_when?: string }) {
  const host = createSimulatedHost({ name: 'h1', disk: diskWith('/etc'), exec: () => outcome })
  const bounds = { clock: testClock(), deadline: 10_000, stop: new AbortController().signal }
  const whole = { ...args, read_only: false, timeout: '5m' }
  const ends: (ExecResult | undefined)[] = []
  for (const change of command.diff({ kind: 'needed' }, whole))
    ends.push(await apply(host, change, bounds))
  return ends
}

test('failed_when is asked of any exit code; without it, only 0 is good', async () => {
  expect(await applied({ argv: ['x'], failed_when: 'false' })).toEqual([outcome])
  await expect(applied({ argv: ['x'] })).rejects.toMatchObject({ code: 'E_COMMAND_FAILED' })
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
