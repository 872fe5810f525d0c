import { expect, test } from 'vitest'
import { COPY_FAULT_NAMES, copyTrial, fillTable, keptACopy } from '../../../lab/copy_trial.ts'
import { metaOf } from '../../../lab/pair_view.ts'
import { laptop } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit MiB */
const TABLE_MIB = 50

/** A copy of it takes about a second. @unit milliseconds */
const IN_THE_COPY_MS = 150

/** @unit milliseconds */
const RETURN_MS = 120_000

test(`20: in a copy of ${TABLE_MIB} MiB PostgreSQL, agent and runner are killed, either host and both lose their power, and the disk is full: one valid copy is there at every moment`, async () => {
  const { lab } = await startScenario({ smallDisks: true })
  const from = await laptop('first')
  const digest = await fillTable(lab, 'h1', TABLE_MIB)
  for (const fault of COPY_FAULT_NAMES) {
    const orders = { lab, from, leader: 'h1', fault, digest } as const
    const trial = await copyTrial({ ...orders, atMs: IN_THE_COPY_MS, pairedWithinMs: RETURN_MS })
    expect(keptACopy(trial), JSON.stringify(trial)).toBe(true)
    expect(metaOf(lab, 'h1')?.leader).toBe('h1')
  }
})
