import type { Outage } from './outages.ts'
import { apply } from './outages.ts'
import type { Partition, StartAgent } from './running_agent.ts'
import { World } from './world.ts'

/** A hand-written scenario: why it exists, outages in, transcript out. */
export interface ScenarioFile {
  /** All above the transcript, as it stands there. */
  readonly head: string
  readonly outages: readonly Outage[]
  readonly endMs: number
  readonly partition: Partition
  readonly transcript: string
}

/** Between what a person writes and what the simulator prints. */
const FENCE = '----'

/**
 * Lines of `SECONDSs OUTAGE`, the last one `SECONDSs end`; one may say `partition: consistency` or `power`; `#` begins a remark; below a line of dashes
 * stands the transcript.
 * @throws when a line is none of these
 */
export function parseScenario(text: string): ScenarioFile {
  const [head = '', transcript = ''] = text.split(`\n${FENCE}\n`)
  const outages: Outage[] = []
  let endMs = 0
  let partition: Partition = 'availability'
  for (const line of head.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    if (line === 'partition: consistency' || line === 'partition: power') {
      partition = line === 'partition: power' ? 'power' : 'consistency'
      continue
    }
    const found = /^\s*(\d+(?:\.\d+)?)s\s+(\S.*)$/.exec(line)
    if (found === null) throw new Error(`no time and outage: '${line}'`)
    const atMs = Number(found[1]) * 1000
    const what = (found[2] ?? '').trim()
    if (what === 'end') endMs = atMs
    else outages.push({ atMs, text: what })
  }
  if (endMs === 0) throw new Error("a scenario ends with a line 'SECONDSs end'")
  return { head, outages, endMs, partition, transcript: transcript.trimEnd() }
}

export function printScenario({ head }: ScenarioFile, transcript: string): string {
  return `${head.trimEnd()}\n${FENCE}\n${transcript}\n`
}

/** Outages begin on a pair that has been well for a while: its time 0. @unit milliseconds */
const BOOT_MS = 10_000

/** Runs a scenario and tells what came of it. @throws {Violation} */
export async function runScenario(file: ScenarioFile, startAgent: StartAgent): Promise<string> {
  const world = new World({ seed: 1, startAgent, partition: file.partition, told: true })
  const { time, judge, story } = world
  world.start()
  await time.runTo(BOOT_MS)
  story.begin()
  for (const outage of file.outages) {
    await time.runTo(BOOT_MS + outage.atMs)
    apply(world, outage)
  }
  await time.runTo(BOOT_MS + file.endMs)
  const wellness = judge.complaint() ?? 'the pair is well'
  for (const client of world.clients) client.stop()
  await time.runTo(time.now + 4_000)
  judge.nothingDropped()
  return `${story.short()}\n\nAt the end: ${wellness}. Guarded writes lost: ${judge.lost()}.`
}
