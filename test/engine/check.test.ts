import { describe, expect, test } from 'vitest'
import type { Change } from '../../src/core/change.ts'
import { TwonodeError } from '../../src/core/errors.ts'
import { engineMachine, TWO_PLAYS } from '../support/engine_machine.ts'
import { converge, planOf, step, stepsIn } from '../support/engine_run.ts'

const { files, hostOn, journal } = engineMachine()

const WRITE: Change = {
  kind: 'write',
  path: '/etc/x',
  content: 'x',
  mode: 0o644,
  owner: 'root',
  group: 'root',
  before: undefined,
}

describe('check mode', () => {
  const check = { check: true, diff: true }

  test('interrupted, it leaves no trace beside what a cut run left', async () => {
    journal().intend('s', WRITE)
    const before = files()
    const stop = AbortSignal.abort(new TwonodeError('E_INTERRUPTED', 'interrupted'))
    const control = { stop, observed: () => Promise.reject(stop.reason as Error) }
    const run = {
      host: hostOn(),
      plan: TWO_PLAYS,
      journal: journal('run-2'),
      control,
      options: check,
    }
    expect((await converge(run)).exitCode).toBe(130)
    expect(files()).toEqual(before)
  })

  test('says what will come, what it cannot know yet and why, and writes nothing', async () => {
    const host = hostOn()
    const { events, lines, exitCode } = await converge({
      host,
      plan: TWO_PLAYS,
      journal: journal(),
      options: check,
    })
    expect(exitCode).toBe(10)
    expect(lines).toEqual([
      'would-change make /etc/a',
      'unknown write a',
      'unknown write b',
      'unknown restart (notified)',
      'would-change write c',
    ])
    const [, a, b, , c] = stepsIn(events)
    expect(a?.reason).toBe('/etc/a does not exist; "make /etc/a" comes before it')
    expect(b?.reason).toBe('it reads a: "write a" can not be told yet')
    expect(c?.changes?.[0]?.diff).toContain('+c')
    expect(host.written).toEqual([])
  })

  test('NotYet with nothing before it is a failure', async () => {
    const plan = planOf([
      {
        steps: [
          step('write', 'text', { path: '/none/x', content: '' }),
          step('make', 'folder', { path: '/none' }),
        ],
      },
    ])
    const { events, exitCode } = await converge({
      host: hostOn(),
      plan,
      journal: journal(),
      options: check,
    })
    expect(exitCode).toBe(3)
    expect(stepsIn(events)[0]?.trouble).toMatchObject({
      code: 'E_MISSING',
      message: '/none does not exist',
    })
  })

  test('an assertion that an earlier change may mend is unknown, not failed', async () => {
    const plan = planOf([
      {
        steps: [
          step('write', 'text', { path: '/etc/x', content: 'y' }),
          step('claim', 'claim', { path: '/etc/x', must_hold: 'y' }),
        ],
      },
    ])
    const { lines } = await converge({ host: hostOn(), plan, journal: journal(), options: check })
    expect(lines).toEqual(['would-change write', 'unknown claim'])
    expect((await converge({ host: hostOn(), plan, journal: journal() })).exitCode).toBe(0)
  })
})
