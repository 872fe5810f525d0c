import { expect, test } from 'vitest'
import { startAgent } from './agent.ts'
import { goingBy, MUTATIONS } from './mutations.ts'
import { simulate } from './simulate.ts'

/** A defect that shows itself more rarely is none that this simulator catches. @unit seeds */
const MOST_SEEDS = 1_500

test.each(MUTATIONS)('$name: a seed shows it', async ({ plan, rules }) => {
  const violation = await goingBy(rules, async () => {
    for (let seed = 1; seed <= MOST_SEEDS; seed++) {
      const found = await simulate({ seed, startAgent, ...plan })
      if (found.violation !== null) return found.violation
    }
    return null
  })
  expect(violation).not.toBeNull()
})
