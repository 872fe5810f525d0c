import { expect, test } from 'vitest'
import { waitFor } from '../../modules/wait_for.ts'
import type { Lock } from '../../src/engine/ports.ts'
import { engineMachine } from '../support/engine_machine.ts'
import { converge, planOf, step, stepsIn } from '../support/engine_run.ts'

const { hostOn, journal } = engineMachine()

test('a converge goes on after a wait in vain that has words for it, and tells them and the last reason', async () => {
  const args = { what: 'the agent', command: ['ask'], timeout: '3s', interval: '1s' }
  const plan = planOf([
    {
      steps: [
        step('wait', 'wait_for', { ...args, otherwise: 'look at it by hand' }),
        step('reached', 'folder', { path: '/etc/z' }),
      ],
    },
  ])
  const asked = { code: 1, stdout: '', stderr: 'a warning\nit starts\n' }
  const host = hostOn({ exec: () => asked })
  const run = { host, plan, modules: [waitFor] }
  const { lines, events, exitCode } = await converge({ ...run, journal: journal() })
  expect(lines).toEqual(['changed wait', 'changed reached'])
  expect(stepsIn(events)[0]?.notes).toEqual([
    'waited 3 s for the agent (it starts): look at it by hand',
  ])
  expect(exitCode).toBe(0)

  // The same wait without such words is a failure, with the same reason.
  const strict = planOf([{ steps: [step('wait', 'wait_for', args)] }])
  const failed = await converge({ ...run, plan: strict, journal: journal('run-2') })
  expect(stepsIn(failed.events)[0]?.trouble).toMatchObject({
    code: 'E_FAILED',
    message: 'h1: waited 3 s for the agent',
    detail: 'it starts',
  })
})

test('the host is free for its agent while it waits so, and is taken again before anything else is done', async () => {
  const seen: string[] = []
  const lock: Lock = {
    take: async () => {
      seen.push('taken')
      return { otherHeldIt: true }
    },
    release: async () => void seen.push('released'),
  }
  let looks = 0
  const exec = () => {
    looks += 1
    seen.push('asked')
    return { code: looks > 2 ? 0 : 1, stdout: '', stderr: '' }
  }
  const args = { command: ['ask'], timeout: '9s', interval: '1s', otherwise: 'look at it' }
  const plan = planOf([{ steps: [step('wait', 'wait_for', args)] }])
  const run = { host: hostOn({ exec }), plan, modules: [waitFor], lock }
  const { events, exitCode } = await converge({ ...run, journal: journal() })
  expect(exitCode).toBe(0)
  expect(stepsIn(events)[0]?.status).toBe('changed')
  expect(stepsIn(events)[0]?.notes).toBeUndefined()
  expect(seen).toEqual(['asked', 'released', 'asked', 'asked', 'taken'])
})
