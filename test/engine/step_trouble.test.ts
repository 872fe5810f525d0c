import { expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import { troubleAtTurn, troubleOf } from '../../src/engine/step_trouble.ts'
import { converge, journalIn, planOf, scratch, step, stepsIn } from '../support/engine_run.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'

test('bad input that shows only after a change fails a task: 2 would say that nothing was done', async () => {
  const folder = scratch()
  const host = createSimulatedHost({
    name: 'h1',
    disk: diskWith('/etc', '/etc/twonode'),
    exec: () => {
      throw new TwonodeError('E_ARGUMENT', 'rendered to nothing')
    },
  })
  const steps = [step('own', 'folder', { path: '/etc/a' }), step('bad', 'shout', { words: 'x' })]
  const plan = planOf([{ steps }])
  const run = await converge({ host, plan, journal: journalIn(folder.path) })
  folder.remove()
  expect([run.lines, run.exitCode]).toEqual([['changed own', 'failed bad'], 3])
  expect(stepsIn(run.events)[1]?.trouble).toMatchObject({ code: 'E_ARGUMENT', exitCode: 3 })
})

test('what is unsafe, locked or a bug is told as that at any time', () => {
  const bad = step('bad', 'shout', {})
  for (const kind of ['E_TWO_AUTHORITIES', 'E_LOCKED', 'E_BUG', 'E_SQL'] as const) {
    const error = new TwonodeError(kind, 'x')
    expect(troubleAtTurn(error, bad)).toEqual(troubleOf(error, bad))
  }
})
