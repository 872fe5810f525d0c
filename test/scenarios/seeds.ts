import { startAgent } from './agent.ts'
import type { Partition } from './running_agent.ts'
import { simulate } from './simulate.ts'

/** How many seeds a whole run of the tests takes; all files of seeds together. */
const SEEDS = Number(process.env['TWONODE_SEEDS'] ?? 5_000)

/** One seed to look at, instead of all. */
const ONE = process.env['TWONODE_SEED']

/** With it: how many storms in a row. */
const STORMS = Number(process.env['TWONODE_STORMS'] ?? 1)

/** After so many that break something the rest would say nothing new. */
const MOST_BROKEN = 3

/** This part's share of the seeds; they are dealt out, so that each part takes as long. */
export function seedsOf(part: number, parts: number): number[] {
  if (ONE !== undefined) return part === 0 ? [Number(ONE)] : []
  return Array.from({ length: SEEDS }, (_, seed) => seed + 1).filter(
    (seed) => seed % parts === part,
  )
}

/** What broke, a line a seed, and the story of the first of them. */
interface Outcome {
  readonly broken: readonly string[]
  readonly story: string
}

export async function runSeeds(
  seeds: readonly number[],
  storms = STORMS,
  partition: Partition = 'availability',
): Promise<Outcome> {
  const broken: string[] = []
  let story = ''
  for (const seed of seeds) {
    const { violation } = await simulate({ seed, startAgent, storms, partition })
    if (violation === null) continue
    broken.push(`seed ${seed}: ${violation}`)
    if (story === '') story = await storyOf(seed, storms, partition)
    if (broken.length >= MOST_BROKEN) break
  }
  return { broken, story }
}

/** Which file runs the seeds of a policy. */
const SEEDS_FILE = { availability: 'seeds_1', consistency: 'seeds_3', power: 'seeds_4' } as const

async function storyOf(seed: number, storms: number, partition: Partition): Promise<string> {
  const { world } = await simulate({ seed, startAgent, storms, partition, told: true })
  const more = storms === 1 ? '' : ` TWONODE_STORMS=${storms}`
  const file = SEEDS_FILE[partition]
  const again = `TWONODE_SEED=${seed}${more} npx vitest run test/scenarios/${file}.test.ts`
  return `the story of seed ${seed}; again by: ${again}\n${world.story.whole()}\n`
}
