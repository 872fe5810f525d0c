import { afterEach, beforeEach, expect, test } from 'vitest'
import { execute } from '../../src/engine/execute.ts'
import type { Event } from '../../src/core/events.ts'
import { journalIn, planOf, runOf, scratch, step, stepsIn } from '../support/engine_run.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'

let folder: ReturnType<typeof scratch>
beforeEach(() => {
  folder = scratch()
})
afterEach(() => folder.remove())

const PLAN = planOf([
  { steps: [step('first', 'text', { path: '/etc/a', content: 'a' }, { register: 'first' })] },
  {
    steps: [
      step(
        'second',
        'text',
        { path: '/etc/b', content: '{{first.changed}}' },
        { reads: ['first'] },
      ),
    ],
  },
])

test('a straight run looks at nothing before its turn, waits at no barrier, and does the same', async () => {
  const host = createSimulatedHost({ name: 'h1', disk: diskWith('/etc') })
  const events: Event[] = []
  const run = runOf({
    host,
    plan: PLAN,
    journal: journalIn(folder.path),
    emit: (event) => events.push(event),
    control: {
      observed: () => Promise.reject(new Error('nothing is observed beforehand')),
      barrier: () => Promise.reject(new Error('nobody is waited for')),
    },
  })
  expect(await execute({ ...run, straight: true })).toBe(0)
  expect(stepsIn(events).map(({ task, status }) => `${status} ${task}`)).toEqual([
    'changed first',
    'changed second',
  ])
  expect(host.disk.get('/etc/b')?.content).toBe('true')
  const reads = host.observed.filter(
    (line) => line.startsWith('read /etc/') && !line.includes('/etc/twonode'),
  )
  expect(reads).toEqual(['read /etc/a', 'read /etc/a', 'read /etc/b', 'read /etc/b'])
})
