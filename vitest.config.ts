import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest_first.ts'

/** Four files of the unit tests, of which much waits for real servers and real bounds; two of the simulator. */
const BESIDE_EACH_OTHER = 6

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/support/closing_line.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/lab/**', 'test/scenarios/**', 'node_modules/**'],
          maxWorkers: BESIDE_EACH_OTHER,
          // A process reads the modules once, not once a file: that was a fifth of this tier's work. So a
          // test puts back what it changes of its process.
          isolate: false,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'scenarios',
          include: ['test/scenarios/**/*.test.ts'],
          // Nothing but computing, a minute and a half of one core in all: in the time in which the unit
          // tests wait, and behind them, or what waits for real servers would wait for it too.
          setupFiles: ['test/scenarios/gives_way.ts'],
          maxWorkers: BESIDE_EACH_OTHER,
          testTimeout: 20 * 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/lab/global_setup.ts'],
          // Two labs: as many files at a time. See test/lab/suite_labs.ts.
          maxWorkers: 2,
          testTimeout: 10 * 60_000,
          hookTimeout: 15 * 60_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
