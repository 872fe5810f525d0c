import { expect, test } from 'vitest'
import { cutTrial, recovered } from '../../lab/cut_trial.ts'
import { packagedHosts } from './pair.ts'

/** How long a first converge from here takes at least: the cut falls within. @unit milliseconds */
const FROM_PACKAGES_MS = 9_000

test.each([3, 4, 5, 6])(
  'a first converge of hosts with the packages, cut at a seeded moment (%i), is finished by the next run',
  async (seed) => {
    const { lab, from } = await packagedHosts()
    const trial = await cutTrial(lab, from, { seed, withinMs: FROM_PACKAGES_MS })
    expect(recovered(trial), JSON.stringify(trial, null, 2)).toBe(true)
  },
)
