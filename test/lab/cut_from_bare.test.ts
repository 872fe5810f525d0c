import { expect, test } from 'vitest'
import { cutTrial, recovered } from '../../lab/cut_trial.ts'
import { bareHosts, laptop } from './pair.ts'

/** How long a first converge from here takes at least: the cut falls within. @unit milliseconds */
const FROM_BARE_MS = 20_000

test.each([1, 2])(
  'a first converge from bare hosts, cut at a seeded moment (%i), is finished by the next run',
  async (seed) => {
    const lab = await bareHosts()
    const trial = await cutTrial(lab, await laptop('first'), { seed, withinMs: FROM_BARE_MS })
    expect(recovered(trial), JSON.stringify(trial, null, 2)).toBe(true)
  },
)
