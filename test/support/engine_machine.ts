import { readdirSync } from 'node:fs'
import { afterEach, beforeEach } from 'vitest'
import type { Journal } from '../../src/engine/journal.ts'
import { journalIn, planOf, scratch, step } from './engine_run.ts'
import {
  createSimulatedHost,
  type Disk,
  diskWith,
  type SimulatedHost,
  type SimulatedHostOptions,
} from './simulated_host.ts'

/** A machine that outlives the runs of one test: a disk in memory, and a folder of journals. */
export interface EngineMachine {
  readonly disk: Disk
  /** The machine as one run sees it; any command says `loud`. */
  readonly hostOn: (more?: Partial<SimulatedHostOptions>) => SimulatedHost
  readonly journal: (runId?: string) => Journal
  /** Names of what stands in the folder of journals. */
  readonly files: () => ReadonlySet<unknown>
}

/** What any command says, unless a test says otherwise. */
export const LOUD = { code: 0, stdout: 'loud', stderr: '' }

/** For a file of tests: each of them finds it new. */
export function engineMachine(): EngineMachine {
  const disk: Disk = new Map()
  let folder = { path: '', remove: () => {} }
  beforeEach(() => {
    folder = scratch()
    disk.clear()
    for (const [path, entry] of diskWith('/etc', '/etc/twonode')) disk.set(path, entry)
  })
  afterEach(() => folder.remove())
  return {
    disk,
    hostOn: (more = {}) => createSimulatedHost({ name: 'h1', disk, exec: () => LOUD, ...more }),
    journal: (runId = 'run-1') => journalIn(folder.path, runId),
    files: () => new Set<unknown>(readdirSync(folder.path, { recursive: true })),
  }
}

/** Two plays: a register that is read, a handler that is told. */
export const TWO_PLAYS = planOf(
  [
    {
      steps: [
        step('make /etc/a', 'folder', { path: '/etc/a' }),
        step(
          'write a',
          'text',
          { path: '/etc/a/x', content: 'one\n' },
          { notify: ['restart'], register: 'a' },
        ),
        step(
          'write b',
          'text',
          { path: '/etc/b', content: 'a is {{a.changed}}' },
          { reads: ['a'] },
        ),
      ],
    },
    { steps: [step('write c', 'text', { path: '/etc/c', content: 'c' })] },
  ],
  [step('restart', 'shout', { words: 'again' })],
)
