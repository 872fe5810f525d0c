import { describe, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import type { Clock } from '../../src/engine/clock.ts'
import { engineMachine, LOUD, TWO_PLAYS } from '../support/engine_machine.ts'
import { converge, planOf, step, stepsIn } from '../support/engine_run.ts'

const { disk, hostOn, journal } = engineMachine()

describe('a converge', () => {
  test('makes what is missing, play by play, and runs what was notified', async () => {
    const host = hostOn()
    const { lines, exitCode } = await converge({ host, plan: TWO_PLAYS, journal: journal() })
    expect(exitCode).toBe(0)
    expect(lines).toEqual([
      'changed make /etc/a',
      'changed write a',
      'changed write b',
      'changed restart (notified)',
      'changed write c',
    ])
    expect(disk.get('/etc/b')?.content).toBe('a is true')
    expect(JSON.parse(disk.get('/etc/twonode/applied.json')?.content ?? '')).toMatchObject({
      version: '1.2.3',
      by: 'ana@laptop',
      runId: 'run-1',
    })
  })

  test('changes nothing the second time, and writes nothing, not even its journal', async () => {
    const plan = planOf(
      [{ steps: TWO_PLAYS.plays[0]?.steps.slice(0, 2) ?? [] }],
      TWO_PLAYS.handlers,
    )
    await converge({ host: hostOn(), plan, journal: journal() })
    const again = hostOn()
    const { lines, exitCode } = await converge({ host: again, plan, journal: journal('run-2') })
    expect(lines).toEqual(['ok make /etc/a', 'ok write a'])
    expect(exitCode).toBe(0)
    expect(again.written).toEqual([])
  })

  test('observes a step a second time after its change, and no more', async () => {
    const host = hostOn()
    const plan = planOf([{ steps: [step('write', 'text', { path: '/etc/x', content: 'x' })] }])
    await converge({ host, plan, journal: journal() })
    expect(host.observed.filter((line) => line === 'read /etc/x')).toHaveLength(2)
  })

  test('fails a step whose change does not take, and says what is left', async () => {
    const plan = planOf([{ steps: [step('never', 'stubborn', { path: '/etc/x' })] }])
    const { events, exitCode } = await converge({ host: hostOn(), plan, journal: journal() })
    const [failed] = stepsIn(events)
    expect(exitCode).toBe(3)
    expect(failed?.trouble).toMatchObject({
      code: 'E_NOT_CONVERGED',
      message: 'h1: after the change it would still take: remove /etc/x',
    })
    // Contents are for those who asked for diffs.
    expect(failed?.trouble?.detail).toBeUndefined()
  })

  test('ends at the first step that fails, and counts it', async () => {
    const plan = planOf([
      {
        steps: [
          step('write', 'text', { path: '/etc/x', content: 'x' }),
          step('claim', 'claim', { path: '/etc/x', must_hold: 'y' }),
          step('never reached', 'folder', { path: '/etc/z' }),
        ],
      },
    ])
    const { lines, events, exitCode } = await converge({ host: hostOn(), plan, journal: journal() })
    expect(lines).toEqual(['changed write', 'failed claim'])
    expect(exitCode).toBe(3)
    expect(events.at(-1)).toMatchObject({ counts: { changed: 1, failed: 1 }, exitCode: 3 })
  })

  test('names what a module broke as a bug of ours, with the task', async () => {
    const broken = { ...step('odd', 'folder', { path: '/etc/x' }), args: {} }
    const plan = planOf([{ steps: [{ ...broken, module: 'claim', args: { path: '/etc/x' } }] }])
    const host = hostOn()
    const torn = { ...host, readFile: () => Promise.reject(new TypeError('of undefined')) }
    const { events, exitCode } = await converge({ host: torn, plan, journal: journal() })
    expect(exitCode).toBe(70)
    expect(stepsIn(events)[0]?.trouble).toMatchObject({
      code: 'E_BUG',
      message: 'claim broke in "odd": of undefined',
    })
  })

  test('treats a command that changed nothing, by its own words, as no change, and notifies nobody', async () => {
    const quiet = step(
      'ask',
      'shout',
      { words: 'x', changed_when: 'stdout == more' },
      { notify: ['restart'] },
    )
    const plan = planOf([{ steps: [quiet] }], TWO_PLAYS.handlers)
    const { lines } = await converge({ host: hostOn(), plan, journal: journal() })
    expect(lines).toEqual(['ok ask'])
    expect(journal('run-2').leftBehind().handlers).toEqual([])
  })

  test('runs a loop item by item and registers all results', async () => {
    const looped = step(
      'many',
      'text',
      { path: '/etc/{{item}}', content: 'x' },
      { loop: ['a', 'b'], register: 'many', when: '!item == b' },
    )
    const after = step(
      'after',
      'text',
      { path: '/etc/after', content: '{{many.results.1.skipped}}' },
      { reads: ['many'] },
    )
    const plan = planOf([{ steps: [looped, after] }])
    const { lines, events } = await converge({ host: hostOn(), plan, journal: journal() })
    expect(lines).toEqual(['changed many ["a"]', 'changed many ["b"]', 'changed after'])
    expect(disk.get('/etc/after')?.content).toBe('false')
    expect(events.at(-1)).toMatchObject({ counts: { changed: 2 } })
  })

  test('tries again until the condition holds, and fails when the retries are used up', async () => {
    let calls = 0
    const host = hostOn({ exec: () => ({ code: 0, stdout: String((calls += 1)), stderr: '' }) })
    const patient = step(
      'wait',
      'shout',
      { words: 'x' },
      { until: 'result.stdout == 3', retries: 4, register: 'r' },
    )
    const { lines } = await converge({
      host,
      plan: planOf([{ steps: [patient] }]),
      journal: journal(),
    })
    expect([lines, calls]).toEqual([['changed wait'], 3])

    calls = 10
    const { events, exitCode } = await converge({
      host,
      plan: planOf([{ steps: [patient] }]),
      journal: journal('run-2'),
    })
    expect([exitCode, calls]).toEqual([3, 15])
    expect(stepsIn(events)[0]?.trouble?.message).toBe('h1: until result.stdout == 3 does not hold')
  })

  test('gives a step up when its own time is over, whatever retries are left', async () => {
    const host = hostOn()
    const endless = step(
      'wait',
      'shout',
      { words: 'x' },
      { until: 'false', retries: 1_000_000, timeoutMs: 10_000 },
    )
    const { events } = await converge({
      host,
      plan: planOf([{ steps: [endless] }]),
      journal: journal(),
    })
    expect(stepsIn(events)[0]?.trouble?.message).toBe('not done within its 10 s')
    expect(host.written.length).toBeLessThan(20)
  })

  test('leaves out what the tags leave out; who reads its register is unknown', async () => {
    const plan = planOf([
      {
        steps: [
          step('a', 'folder', { path: '/etc/a' }, { register: 'a' }),
          step('b', 'folder', { path: '/etc/b' }, { tags: ['net'] }),
          step(
            'c',
            'folder',
            { path: '/etc/c' },
            { tags: ['net'], reads: ['a'], when: 'a.changed' },
          ),
        ],
      },
    ])
    const { lines, events } = await converge({
      host: hostOn(),
      plan,
      journal: journal(),
      options: { tags: ['net'] },
    })
    expect(lines).toEqual(['changed b', 'unknown c'])
    expect(stepsIn(events)[1]?.reason).toBe(
      'it reads a: "a" registers it and is left out by --tags',
    )
  })

  test.each([
    [[], ['changed a']],
    [['pair'], ['changed b', 'changed c']],
    [['role'], ['changed a']],
  ])(
    'with --tags %j a task that is tagged never runs only if asked for',
    async (tags, expected) => {
      const plan = planOf([
        {
          steps: [
            step('a', 'folder', { path: '/etc/a' }, { tags: ['role'], register: 'r' }),
            step('b', 'folder', { path: '/etc/b' }, { tags: ['never', 'pair'], register: 'r' }),
            step(
              'c',
              'folder',
              { path: '/etc/c' },
              { tags: ['never', 'pair'], reads: ['r'], when: 'r.changed' },
            ),
          ],
        },
      ])
      const { lines } = await converge({
        host: hostOn(),
        plan,
        journal: journal(),
        options: { tags },
      })
      expect(lines).toEqual(expected)
    },
  )

  test('without the peer, a step about the peer is unknown and the rest is done', async () => {
    const plan = planOf([
      {
        steps: [
          step('about peer.address', 'claim', { path: '/etc/x', must_hold: 'y' }),
          step('own', 'folder', { path: '/etc/a' }),
        ],
      },
    ])
    const { lines, exitCode } = await converge({
      host: hostOn(),
      plan,
      journal: journal(),
      solo: true,
    })
    expect([lines, exitCode]).toEqual([['unknown about peer.address', 'changed own'], 0])
  })

  test('an interrupt lets the change under way finish and begins no other', async () => {
    const stop = new AbortController()
    const host = hostOn({
      exec: () => {
        stop.abort(new TwonodeError('E_INTERRUPTED', 'interrupted'))
        return LOUD
      },
    })
    const plan = planOf([
      {
        steps: [step('long', 'shout', { words: 'x' }), step('next', 'folder', { path: '/etc/a' })],
      },
    ])
    const { lines, events, exitCode } = await converge({
      host,
      plan,
      journal: journal(),
      control: { stop: stop.signal },
    })
    expect(lines).toEqual(['changed long'])
    expect(exitCode).toBe(130)
    expect(events.at(-2)).toMatchObject({ event: 'trouble', trouble: { code: 'E_INTERRUPTED' } })
    expect(host.written).toEqual(['shout x'])
  })

  test('tells after a second, and then every two, what a long step is doing', async () => {
    let time = 0
    const ticks: (() => void)[] = []
    const clock: Clock = {
      now: () => time,
      sleep: async (_, stop) =>
        await new Promise((resolve) => stop?.addEventListener('abort', () => resolve())),
      every: (_, act) => {
        ticks.push(act)
        return () => {}
      },
    }
    const host = hostOn({
      exec: () => {
        for (time of [900, 1_000, 2_000, 3_000, 4_000, 5_100]) ticks.at(-1)?.()
        return LOUD
      },
    })
    const plan = planOf([{ steps: [step('long', 'shout', { words: 'x' })] }])
    const { events } = await converge({ host, plan, journal: journal(), clock })
    const words = events.filter((event) => event.event === 'progress')
    expect(words.map(({ elapsedMs, message }) => [elapsedMs, message])).toEqual([
      [1_000, 'run shout x'],
      [3_000, 'run shout x'],
      [5_100, 'run shout x'],
    ])
  })
})
