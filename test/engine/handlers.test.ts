import { describe, expect, test } from 'vitest'
import { engineMachine, LOUD } from '../support/engine_machine.ts'
import { converge, planOf, step } from '../support/engine_run.ts'

const { hostOn, journal } = engineMachine()
const refusing = () => hostOn({ exec: () => ({ code: 1, stdout: '', stderr: 'no peer' }) })

describe('handlers', () => {
  const plan = planOf(
    [
      { steps: [step('a', 'text', { path: '/etc/a', content: 'a' }, { notify: ['restart'] })] },
      { steps: [step('broken', 'claim', { path: '/etc/a', must_hold: 'not this' })] },
    ],
    [step('restart', 'shout', { words: 'again' })],
  )
  const failing = planOf(
    [
      {
        ...plan.plays[0],
        steps: [...(plan.plays[0]?.steps ?? []), ...(plan.plays[1]?.steps ?? [])],
      },
    ],
    plan.handlers,
  )

  test('owed by a run that failed run first in the next, though nothing changes any more', async () => {
    const first = await converge({ host: hostOn(), plan: failing, journal: journal() })
    expect(first.lines).toEqual(['changed a', 'failed broken'])

    const next = planOf([plan.plays[0] ?? {}], plan.handlers)
    const second = await converge({ host: hostOn(), plan: next, journal: journal('run-2') })
    expect(second.lines).toEqual(['changed restart (left-over)', 'ok a'])
    const third = await converge({ host: hostOn(), plan: next, journal: journal('run-3') })
    expect(third.lines).toEqual(['ok a'])
  })

  test('owed ones are told in check mode, and stay owed', async () => {
    await converge({ host: hostOn(), plan: failing, journal: journal() })
    const next = planOf([plan.plays[0] ?? {}], plan.handlers)
    const { lines, exitCode } = await converge({
      host: hostOn(),
      plan: next,
      journal: journal('run-2'),
      options: { check: true },
    })
    expect([lines, exitCode]).toEqual([['would-change restart (left-over)', 'ok a'], 10])
    expect(journal('run-3').leftBehind().handlers).toHaveLength(1)
  })

  test('an owed one that fails at first runs again at the end of the play that owes it', async () => {
    await converge({ host: hostOn(), plan: failing, journal: journal() })
    const next = planOf(
      [{ steps: [step('make', 'folder', { path: '/etc/need' }), ...(plan.plays[0]?.steps ?? [])] }],
      plan.handlers,
    )
    const host = hostOn({
      exec: (_, __, now) =>
        now.has('/etc/need') ? LOUD : { code: 1, stdout: '', stderr: 'not yet' },
    })
    const { lines, exitCode } = await converge({ host, plan: next, journal: journal('run-2') })
    expect([lines, exitCode]).toEqual([['changed make', 'ok a', 'changed restart (notified)'], 0])
    expect(journal('run-3').leftBehind().handlers).toEqual([])
  })

  test('owed to a handler that the playbook no more has are forgotten with a note', async () => {
    await converge({ host: hostOn(), plan: failing, journal: journal() })
    const next = planOf([{ steps: [step('b', 'folder', { path: '/etc/b' })] }])
    const { events } = await converge({ host: hostOn(), plan: next, journal: journal('run-2') })
    expect(events).toContainEqual(expect.objectContaining({ event: 'note', level: 'warning' }))
    expect(journal('run-3').leftBehind().handlers).toEqual([])
  })

  const needing = planOf(plan.plays.slice(0, 1), [
    step('restart', 'shout', { words: 'to peer.name' }),
    step('after', 'shout', { words: 'x' }),
  ])
  test('one that could not be told without the peer stays owed', async () => {
    const alone = { host: refusing(), plan: needing, journal: journal(), solo: true }
    const { lines } = await converge(alone)
    expect(lines).toEqual(['changed a', 'unknown restart (notified)'])
    expect(journal('run-2').leftBehind().handlers).toMatchObject([{ name: 'restart' }])

    const again = await converge({ ...alone, host: refusing(), journal: journal('run-2') })
    expect(again.lines).toContain('ok a')
    expect(journal('run-3').leftBehind().handlers).toMatchObject([{ name: 'restart' }])

    const both = await converge({ host: hostOn(), plan: needing, journal: journal('run-3') })
    expect(both.lines).toEqual(['changed restart (left-over)', 'ok a'])
    expect(journal('run-4').leftBehind().handlers).toEqual([])
  })
})
