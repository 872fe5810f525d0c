import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Event } from '../../src/core/events.ts'
import type { Plan, PlanStep } from '../../src/core/plan.ts'
import { execute } from '../../src/engine/execute.ts'
import {
  converge,
  journalIn,
  planOf,
  runOf,
  scratch,
  step,
  stepsIn,
} from '../support/engine_run.ts'
import { createSimulatedHost, type Cut, type Disk, diskWith } from '../support/simulated_host.ts'

let folder: ReturnType<typeof scratch>
beforeEach(() => {
  folder = scratch()
})
afterEach(() => folder.remove())

/** One step of a generated plan; its place in the plan makes its names its own. */
type Kind = {
  readonly kind: 'folder' | 'text' | 'inFolder'
  readonly notify: boolean
  readonly when: boolean
}

const kinds = fc.record({
  kind: fc.constantFrom<Kind['kind'][]>('folder', 'text', 'inFolder'),
  notify: fc.boolean(),
  when: fc.boolean(),
})
const plays = fc.array(fc.array(kinds, { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 3,
})

/** Commands leave a mark on the disk; `creates` makes them idempotent, as in a playbook. */
const commands = {
  exec: (argv: readonly string[], _: unknown, disk: Disk) => {
    const [, words = ''] = argv
    const count = Number(disk.get(`/ran/${words}`)?.content ?? 0)
    disk.set(`/ran/${words}`, {
      kind: 'file',
      content: String(count + 1),
      mode: 0o644,
      owner: 'root',
      group: 'root',
    })
    return { code: 0, stdout: '', stderr: '' }
  },
}

function planFrom(shape: readonly (readonly Kind[])[], isKnown: boolean): Plan {
  const made = shape.map((kindsOfPlay, play) => ({
    steps: kindsOfPlay.flatMap((kind, index) => stepsOf(kind, `${play}.${index}`, isKnown)),
  }))
  return planOf(made, [
    step('first handler', 'shout', { words: 'first' }),
    step('second handler', 'shout', { words: 'second' }),
  ])
}

function stepsOf({ kind, notify, when }: Kind, id: string, isKnown: boolean): PlanStep[] {
  const more = {
    ...(notify
      ? { notify: [Number(id.at(-1)) % 2 === 0 ? 'first handler' : 'second handler'] }
      : {}),
    ...(when ? {} : { when: 'host.name == nobody' }),
  }
  const text = (path: string) => step(`text ${id}`, 'text', { path, content: id }, more)
  if (kind === 'folder') return [step(`folder ${id}`, 'folder', { path: `/etc/d${id}` }, more)]
  if (kind === 'inFolder' && !isKnown)
    return [step(`folder ${id}`, 'folder', { path: `/etc/d${id}` }, more), text(`/etc/d${id}/x`)]
  return [text(`/etc/${id}`)]
}

const freshDisk = () => diskWith('/etc', '/etc/twonode', '/ran')
let runs = 0
const journal = (name: string) => journalIn(`${folder.path}/${name}`, `run-${(runs += 1)}`)
const hostOn = (disk: Disk, cut?: Cut) =>
  createSimulatedHost({ name: 'h1', disk, ...commands, ...(cut === undefined ? {} : { cut }) })

/** What the disk holds, without what only says who was here and how often. */
const stateOf = (disk: Disk) =>
  [...disk]
    .filter(([path]) => !path.startsWith('/ran/') && path !== '/etc/twonode/applied.json')
    .map(([path, { content, kind }]) => `${kind} ${path} ${content}`)
    .toSorted()

test('the second run changes nothing, whatever the plan', async () => {
  await fc.assert(
    fc.asyncProperty(plays, async (shape) => {
      const plan = planFrom(shape, false)
      const disk = freshDisk()
      const own = `second-${(runs += 1)}`
      expect((await converge({ host: hostOn(disk), plan, journal: journal(own) })).exitCode).toBe(0)
      const again = hostOn(disk)
      const { lines } = await converge({ host: again, plan, journal: journal(own) })
      expect(again.written).toEqual([])
      expect(lines.filter((line) => !/^(ok|skipped)/.test(line))).toEqual([])
    }),
    { numRuns: 60 },
  )
})

/** Statuses and changes, in the words of an apply. */
const told = (events: readonly Event[]) =>
  stepsIn(events).map(({ task, handler, changes = [], status }) => ({
    task,
    handler,
    status: status === 'would-change' ? 'changed' : status,
    changes: changes.map(({ summary }) => summary),
  }))

test('a check tells exactly what the apply does, where nothing is unknown', async () => {
  await fc.assert(
    fc.asyncProperty(plays, async (shape) => {
      const plan = planFrom(shape, true)
      const disk = freshDisk()
      const own = `check-${(runs += 1)}`
      const before = stateOf(disk)
      const check = await converge({
        host: hostOn(disk),
        plan,
        journal: journal(own),
        options: { check: true },
      })
      expect(stateOf(disk)).toEqual(before)
      const apply = await converge({ host: hostOn(disk), plan, journal: journal(own) })
      expect(told(check.events)).toEqual(told(apply.events))
    }),
    { numRuns: 60 },
  )
})

test('cut at any write, before or after it, the next run finishes: no change, handler or file is lost or left', async () => {
  const cuts = fc.record({
    at: fc.integer({ min: 1, max: 20 }),
    when: fc.constantFrom<Cut['when'][]>('before', 'after'),
  })
  await fc.assert(
    fc.asyncProperty(
      plays,
      fc.array(cuts, { minLength: 1, maxLength: 3 }),
      async (shape, moments) => {
        const plan = planFrom(shape, false)
        const whole = freshDisk()
        const own = `cut-${(runs += 1)}`
        await converge({ host: hostOn(whole), plan, journal: journal(`${own}-whole`) })

        const disk = freshDisk()
        for (const cut of moments) {
          const host = hostOn(disk, cut)
          await Promise.race([execute(runOf({ host, plan, journal: journal(own) })), host.died])
        }
        const { exitCode } = await converge({ host: hostOn(disk), plan, journal: journal(own) })
        expect(exitCode).toBe(0)
        expect(stateOf(disk)).toEqual(stateOf(whole))
        // A handler that an uncut run runs has run, at least as often.
        const lost = ['/ran/first', '/ran/second'].filter((ran) => whole.has(ran) && !disk.has(ran))
        expect(lost).toEqual([])
        expect(journal(own).leftBehind()).toEqual({ handlers: [], folders: [] })
        const last = hostOn(disk)
        await converge({ host: last, plan, journal: journal(own) })
        expect(last.written).toEqual([])
      },
    ),
    { numRuns: 80 },
  )
})

test('a handler runs after the last change that owes it, wherever the cut was', async () => {
  const plan = planOf(
    [
      {
        steps: [
          step('a', 'text', { path: '/etc/a', content: 'a' }, { notify: ['restart'] }),
          step('b', 'folder', { path: '/etc/b' }),
        ],
      },
    ],
    [step('restart', 'shout', { words: 'restart' })],
  )
  for (const when of ['before', 'after'] as const)
    for (let at = 1; at <= 6; at += 1) {
      const disk = freshDisk()
      const own = `order-${when}-${at}`
      const cut = hostOn(disk, { at, when })
      await Promise.race([execute(runOf({ host: cut, plan, journal: journal(own) })), cut.died])
      const next = hostOn(disk)
      await converge({ host: next, plan, journal: journal(own) })
      const both = [...cut.written.slice(0, when === 'before' ? at - 1 : at), ...next.written]
      const [restarted, written] = ['shout restart', 'write /etc/a'].map((what) =>
        both.lastIndexOf(what),
      )
      expect({ own, isAfter: Number(restarted) > Number(written) }).toEqual({ own, isAfter: true })
    }
})
