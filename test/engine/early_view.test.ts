import { afterEach, beforeEach, expect, test } from 'vitest'
import { execute } from '../../src/engine/execute.ts'
import { converge, journalIn, planOf, runOf, scratch, step } from '../support/engine_run.ts'
import { createSimulatedHost, type Disk, diskWith } from '../support/simulated_host.ts'

let folder: ReturnType<typeof scratch>
let disk: Disk
beforeEach(() => {
  folder = scratch()
  disk = diskWith('/etc', '/etc/twonode')
  disk.set('/etc/x', { kind: 'file', content: 'old', mode: 0o644, owner: 'root', group: 'root' })
})
afterEach(() => folder.remove())

const journal = (runId = 'run-1') => journalIn(folder.path, runId)
const host = (cut?: { at: number; when: 'before' | 'after' }) =>
  createSimulatedHost({ name: 'h1', disk, ...(cut === undefined ? {} : { cut }) })

test('what was seen before a change is looked at again after it', async () => {
  const plan = planOf([
    {
      steps: [
        step('a', 'text', { path: '/etc/x', content: 'new' }),
        step('b', 'claim', { path: '/etc/x' }, { register: 'b' }),
        step('c', 'text', { path: '/etc/y', content: 'x is {{b.content}}' }, { reads: ['b'] }),
      ],
    },
  ])
  await converge({ host: host(), plan, journal: journal() })
  expect(disk.get('/etc/y')?.content).toBe('x is new')
})

test('what another run did while the lock was free is seen', async () => {
  const plan = planOf([
    { steps: [step('ok', 'claim', { path: '/etc/x' })] },
    { steps: [step('a', 'text', { path: '/etc/x', content: 'old' })] },
  ])
  const lock = {
    take: async () => {
      disk.set('/etc/x', {
        kind: 'file',
        content: 'theirs',
        mode: 0o644,
        owner: 'root',
        group: 'root',
      })
      return { otherHeldIt: true }
    },
    release: async () => {},
  }
  const control = { observed: async () => ({ kind: 'apply', firstBarrier: 1 }) as const }
  const { lines } = await converge({ host: host(), plan, journal: journal(), lock, control })
  expect(lines).toEqual(['ok ok', 'changed a'])
})

test('a cut run leaves no temporary file, though the next one fails early', async () => {
  const write = step('a', 'text', { path: '/etc/x', content: 'new' })
  const cut = host({ at: 1, when: 'before' })
  await Promise.race([
    execute(runOf({ host: cut, plan: planOf([{ steps: [write] }]), journal: journal() })),
    cut.died,
  ])
  expect([...disk.keys()]).toContain('/etc/.twonode-dead.x')
  const failing = planOf([{ steps: [step('no', 'claim', { path: '/etc/x', must_hold: 'never' })] }])
  expect(
    (await converge({ host: host(), plan: failing, journal: journal('run-2') })).exitCode,
  ).toBe(3)
  expect([...disk.keys()].filter((path) => path.includes('.twonode-'))).toEqual([])
})

test('a download that was cut stays for the step that resumes it, and goes when a run ends well', async () => {
  const part = '/etc/.twonode-0123456789abcdef.part'
  const cut = host({ at: 1, when: 'before' })
  const write = planOf([{ steps: [step('a', 'text', { path: '/etc/x', content: 'new' })] }])
  await Promise.race([execute(runOf({ host: cut, plan: write, journal: journal() })), cut.died])
  disk.set(part, { kind: 'file', content: 'half', mode: 0o600, owner: 'root', group: 'root' })
  const failing = planOf([{ steps: [step('no', 'claim', { path: '/etc/x', must_hold: 'never' })] }])
  await converge({ host: host(), plan: failing, journal: journal('run-2') })
  expect(disk.has(part)).toBe(true)
  await converge({ host: host(), plan: write, journal: journal('run-3') })
  expect(disk.has(part)).toBe(false)
})

test("an observation that hangs is given up at the end of the step's time", async () => {
  const hanging = { ...host(), readFile: () => new Promise<never>(() => {}) }
  const plan = planOf([{ steps: [step('a', 'claim', { path: '/etc/x' }, { timeoutMs: 5_000 })] }])
  const { events } = await converge({ host: hanging, plan, journal: journal() })
  expect(events[0]).toMatchObject({
    status: 'failed',
    trouble: { message: 'looking took longer than 5 s' },
  })
})

test('where no barrier stands between plays, a gate is asked for what its own play changed', async () => {
  const gate = [step('healthy', 'claim', { path: '/etc/x', must_hold: 'never' })]
  const changing = step('a', 'text', { path: '/etc/y', content: 'new' })
  const control = {
    observed: async () => ({ kind: 'apply', firstBarrier: Number.POSITIVE_INFINITY }) as const,
  }
  const idle = planOf([{ steps: [changing] }, { rolling: true, gate, steps: [] }])
  expect((await converge({ host: host(), plan: idle, journal: journal(), control })).exitCode).toBe(
    0,
  )
  const late = step('b', 'text', { path: '/etc/z', content: 'new' })
  const busy = planOf([{ rolling: true, gate, steps: [late] }])
  expect((await converge({ host: host(), plan: busy, journal: journal(), control })).exitCode).toBe(
    3,
  )
})
