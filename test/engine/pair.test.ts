import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PlanStep } from '../../src/core/plan.ts'
import { planOf, scratch, step } from '../support/engine_run.ts'
import {
  createSimulatedHost,
  diskWith,
  type SimulatedHost,
  type SimulatedHostOptions,
} from '../support/simulated_host.ts'
import { convergePair } from '../support/two_hosts.ts'

let folder: ReturnType<typeof scratch>
beforeEach(() => {
  folder = scratch()
})
afterEach(() => folder.remove())

const shouting: NonNullable<SimulatedHostOptions['exec']> = () => ({
  code: 0,
  stdout: '',
  stderr: '',
})

function pair(more: Partial<SimulatedHostOptions> = {}): [SimulatedHost, SimulatedHost] {
  const one = (name: string) =>
    createSimulatedHost({ name, disk: diskWith('/etc', '/etc/twonode'), exec: shouting, ...more })
  return [one('h1'), one('h2')]
}

const write = (name: string, more: Partial<PlanStep> = {}) =>
  step(name, 'text', { path: `/etc/${name}`, content: name }, more)

/** Tells of steps and barriers alone. */
const withoutLocks = (story: readonly string[]) => story.filter((line) => !line.includes('lock'))
const after = (story: readonly string[], later: string, earlier: string) => {
  expect(story).toContain(later)
  expect(story).toContain(earlier)
  expect(story.indexOf(later)).toBeGreaterThan(story.indexOf(earlier))
}

test('a play begins when both hosts are done with the one before', async () => {
  const plan = planOf([
    { hosts: 'leader', steps: [write('a'), write('b')] },
    { hosts: 'follower', steps: [write('c')] },
    { hosts: 'leader', steps: [write('d')] },
  ])
  const { story, exitCode } = await convergePair({ plan, hosts: pair(), folder: folder.path })
  expect(exitCode).toBe(0)
  after(story, 'h2 changed c', 'h1 changed b')
  after(story, 'h1 changed d', 'h2 changed c')
})

test('with nothing to do there is no barrier, whatever the number of plays', async () => {
  const plan = planOf([
    { steps: [write('a')] },
    { hosts: 'leader', steps: [write('b')] },
    { steps: [write('c')] },
  ])
  const hosts = pair()
  await convergePair({ plan, hosts, folder: folder.path })
  const { story, exitCode } = await convergePair({
    plan,
    hosts,
    folder: folder.path,
    options: { runId: 'run-2' },
  })
  expect(exitCode).toBe(0)
  expect(story).toEqual(['h1 ok a', 'h1 ok b', 'h1 ok c', 'h2 ok a', 'h2 ok c'])
})

test('plays before the first one with something to do are not waited for', async () => {
  const plan = planOf([{ steps: [write('a')] }, { steps: [write('b')] }, { steps: [write('c')] }])
  const hosts = pair()
  await convergePair({ plan, hosts, folder: folder.path })
  hosts[1].disk.delete('/etc/b')
  const { story } = await convergePair({
    plan,
    hosts,
    folder: folder.path,
    options: { runId: 'run-2' },
  })
  expect(story.filter((line) => line.includes('done'))).toEqual(
    expect.arrayContaining(['h1 done 1', 'h2 done 1']),
  )
  expect(story.filter((line) => line.includes('done 0'))).toEqual([])
})

test('the lock is free at a barrier and taken again after it', async () => {
  const plan = planOf([{ hosts: 'leader', steps: [write('a')] }, { steps: [write('b')] }])
  const { story } = await convergePair({ plan, hosts: pair(), folder: folder.path })
  const own = story.filter((line) => line.startsWith('h1'))
  expect(own).toEqual(
    [
      'h1 changed a',
      'h1 lets the lock go',
      'h1 done 0',
      'h1 takes the lock',
      'h1 changed b',
    ].toSorted((x, y) => own.indexOf(x) - own.indexOf(y)),
  )
  expect(own.indexOf('h1 lets the lock go')).toBeLessThan(own.indexOf('h1 done 0'))
  after(own, 'h1 changed b', 'h1 takes the lock')
})

test('what was observed early is observed again once the peer has changed something', async () => {
  const plan = planOf([
    { hosts: 'leader', steps: [write('a')] },
    { hosts: 'follower', steps: [write('b')] },
  ])
  const hosts = pair()
  hosts[1].disk.set('/etc/b', {
    kind: 'file',
    content: 'b',
    mode: 0o644,
    owner: 'root',
    group: 'root',
  })
  const reads = () => hosts[1].observed.filter((line) => line === 'read /etc/b').length
  const { story } = await convergePair({ plan, hosts, folder: folder.path })
  expect(story).toContain('h2 ok b')
  expect(reads()).toBe(2)
})

test('a rolling play goes to the follower, its gate, and only then to the leader', async () => {
  const plan = planOf([
    {
      rolling: true,
      steps: [write('new'), write('more')],
      gate: [step('healthy', 'claim', { path: '/etc/new', must_hold: 'new' })],
    },
    { steps: [write('last')] },
  ])
  const { story, exitCode } = await convergePair({ plan, hosts: pair(), folder: folder.path })
  expect(exitCode).toBe(0)
  after(story, 'h1 changed new', 'h2 ok healthy')
  after(story, 'h2 ok healthy', 'h2 changed more')
})

test('a gate that does not pass leaves the leader as it was', async () => {
  const plan = planOf([
    {
      rolling: true,
      steps: [write('new')],
      gate: [step('healthy', 'claim', { path: '/etc/new', must_hold: 'old' })],
    },
  ])
  const hosts = pair()
  const { story, exitCode } = await convergePair({ plan, hosts, folder: folder.path })
  expect(exitCode).toBe(3)
  expect(withoutLocks(story).filter((line) => line.startsWith('h1 changed'))).toEqual([])
  expect(hosts[0].disk.has('/etc/new')).toBe(false)
})

test('a gate is not asked on a host where the rolling play changed nothing', async () => {
  const gate = [step('healthy', 'claim', { path: '/etc/new', must_hold: 'never' })]
  const plan = planOf([{ steps: [write('other')] }, { rolling: true, steps: [write('new')], gate }])
  const hosts = pair()
  for (const { disk } of hosts)
    disk.set('/etc/new', {
      kind: 'file',
      content: 'new',
      mode: 0o644,
      owner: 'root',
      group: 'root',
    })
  expect((await convergePair({ plan, hosts, folder: folder.path })).exitCode).toBe(0)
})

test('when one host fails the other ends its play and begins no other', async () => {
  const plan = planOf([
    {
      steps: [
        write('a'),
        step('broken', 'claim', { path: '/etc/a', must_hold: 'b' }, { when: 'host.name == h2' }),
        write('b'),
      ],
    },
    { steps: [write('c')] },
  ])
  const hosts = pair()
  const { story, exitCode } = await convergePair({ plan, hosts, folder: folder.path })
  expect(exitCode).toBe(3)
  expect(story).toContain('h1 changed b')
  expect(story.join('\n')).not.toContain('changed c')
})

test('check mode reports both hosts and changes neither', async () => {
  const plan = planOf([{ steps: [write('a')] }, { hosts: 'follower', steps: [write('b')] }])
  const hosts = pair()
  const { story, exitCode } = await convergePair({
    plan,
    hosts,
    folder: folder.path,
    options: { check: true },
  })
  expect([exitCode, story]).toEqual([
    10,
    ['h1 would-change a', 'h2 would-change a', 'h2 would-change b'],
  ])
  expect(hosts.flatMap(({ written }) => written)).toEqual([])
})

test('an interrupt at a barrier ends both hosts', async () => {
  const plan = planOf([{ hosts: 'leader', steps: [write('a')] }, { steps: [write('b')] }])
  const hosts = pair()
  const { exitCode } = await convergePair({
    plan,
    hosts,
    folder: folder.path,
    onMessage: (_, message, controls) => {
      if (!('type' in message) || message.type !== 'play-done') return
      for (const control of controls.values()) control.receive({ type: 'interrupt' })
    },
  })
  expect(exitCode).toBe(130)
  expect(hosts.some(({ disk }) => disk.has('/etc/b'))).toBe(false)
})
