import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { converge, explain, type Laptop } from '../../lab/twonode_process.ts'
import {
  convergedPair,
  eventually,
  inHost,
  mustConverge,
  psql,
  stepNames,
  steps,
  stopAgents,
} from './pair.ts'

const PROOF = '/var/lib/twonode/promotable.json'
const META = '/var/lib/twonode/host-meta.yaml'

let from: Laptop

beforeAll(async () => {
  ;({ from } = await convergedPair())
})
// A converge that is done starts them again.
beforeEach(stopAgents)

/** What the run failed with, on the one host that had a reason. */
async function refusal(...args: string[]): Promise<string> {
  const run = await converge(from, args)
  expect(run.code, explain(run)).toBe(3)
  return steps(run, 'failed')
    .map(({ host, trouble }) => `${host}: ${trouble?.message ?? ''}`)
    .join('\n')
}

test('the proof of the first pairing is written once: a voided one stays voided', async () => {
  expect(await inHost('h2', ['cat', PROOF])).toBe('{"format":1,"term":2,"voided":0}')
  const voided = '{"format":1,"term":0,"voided":2}'
  await inHost('h2', ['sh', '-c', `printf '%s' '${voided}' > ${PROOF}`])
  expect(stepNames(await mustConverge(from), 'changed').toSorted()).toEqual([
    'h1: The agent runs',
    'h2: The agent runs',
  ])
  // The agent of a leader that says "paired" proves another term, and never this one again.
  expect(await inHost('h2', ['cat', PROOF])).toContain('"voided":2')
})

test('a leader that is converged alone while nobody follows records no pair; with both, the pair is made', async () => {
  // As a first converge leaves its hosts that was cut before they were recorded as a pair: a write waits.
  const unpaired = ['sed', '-i', 's/^mode: .*/mode: alone/; s/^term: .*/term: 1/', META]
  await Promise.all([inHost('h1', unpaired), inHost('h2', unpaired)])
  await psql('h2', 'alter subscription twonode disable')
  await eventually('the follower is gone', async () => {
    const streaming = await psql('h1', 'select count(*) from pg_stat_replication')
    return streaming === '0' ? true : `${streaming} streaming`
  })

  const alone = await converge(from, [impatientSite(), '--limit', 'h1'])
  expect(alone.code, explain(alone)).toBe(0)
  expect(stepNames(alone, 'unknown')).toEqual(
    expect.arrayContaining(['The follower streams', 'The follower has everything'].map(onH1)),
  )
  expect(await inHost('h1', ['grep', '-E', '^(term|mode):', META])).toBe('term: 1\nmode: alone')
  expect(await psql('h1', 'show synchronous_standby_names')).toBe('')
  // That converge started it: with no peer it can't prove that it leads (A5), and would end the next one.
  await stopAgents()

  const both = await mustConverge(from)
  expect(stepNames(both, 'changed')).toContain(onH1('hostMeta says paired'))
  expect(await psql('h1', 'show synchronous_standby_names')).toBe('"h2"')
})

const onH1 = (task: string): string => `h1: ${task}`

/** site.yaml as it is, but for how long it waits for a follower that is not there. */
function impatientSite(): string {
  const folder = join(from.home, 'impatient')
  cpSync(join(process.env['TWONODE_ROOT'] ?? process.cwd(), 'playbooks'), folder, {
    recursive: true,
  })
  const role = join(folder, 'role/pair_tasks.yaml')
  const text = readFileSync(role, 'utf8')
  expect(text).toContain('timeout: 30s')
  writeFileSync(role, text.replaceAll('timeout: 30s', 'timeout: 2s'))
  return join(folder, 'site.yaml')
}

// From here on the pair is broken for good: each test goes on where the one before left it.
test('B10: a follower that was emptied is not taken in by a pair that is recorded as paired', async () => {
  await psql('h2', 'alter subscription twonode disable')
  await psql('h2', 'alter subscription twonode set (slot_name = none)')
  await psql('h2', 'drop subscription twonode')
  await psql('h2', 'alter table kine disable trigger all; truncate kine')
  expect(await refusal()).toMatch(/^h2: .*recorded as paired/)
  expect(await psql('h2', 'select count(*) from kine')).toBe('0')
})

test('B3: a slot that a pair has lost is not made anew: its follower would miss what was written since', async () => {
  await eventually('the slot can be dropped', async () => {
    await psql('h1', "select pg_drop_replication_slot('h2_1_1')")
    return true
  })
  // The follower has a reason as well, the one of before, and the two begin side by side.
  expect(await refusal('--limit', 'h1')).toMatch(/^h1: .*the slot of a pair is gone/)
  expect(await psql('h1', 'select count(*) from pg_replication_slots')).toBe('0')
})
