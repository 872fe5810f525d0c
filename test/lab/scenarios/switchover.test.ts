import { expect, test } from 'vitest'
import { metaOf } from '../../../lab/pair_view.ts'
import { finished, startTwonode, type Laptop } from '../../../lab/twonode_process.ts'
import { watchVerdict } from '../../../lab/watch_log.ts'
import { inHost, psql } from '../pair.ts'
import { onThePair, startScenario } from '../scenario.ts'

/** @unit milliseconds */
const SWITCH_MS = 60_000
const ALONE_MS = 30_000
const RETURN_MS = 90_000

const WELL = { interrupted: 0, lists: 0, missing: [], outOfOrder: 0 }

/** `twonode switchover` from the laptop: its exit and its lines. */
async function switchover(from: Laptop, ...more: readonly string[]) {
  const argv = ['switchover', '-i', from.inventory, '--json', ...more]
  const { code, stdout, stderr } = await finished(startTwonode(from, argv))
  const lines = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  return { code, stderr, lines, last: lines.at(-1) }
}

test('24: a switchover loses nothing, cuts no watch, copies nothing, and its revision does not jump (A7)', async () => {
  const scenario = await startScenario()
  const { lab, from } = scenario
  const plan = await switchover(from, '--check', '--to', 'h2')
  expect(plan.code, plan.stderr).toBe(0)
  expect(plan.lines).toMatchObject([{ kind: 'plan', from: 'h1', to: 'h2' }])
  expect(await switchover(from, '--to', 'h1')).toMatchObject({ code: 0, last: { kind: 'nothing' } })

  await inHost('h2', ['/usr/local/bin/twonode', 'pause'])
  await scenario.poll(
    'h1 to know that h2 is paused',
    async () => (await switchover(from, '--check')).stderr.includes('h2 is paused by an operator'),
    SWITCH_MS,
  )
  await inHost('h2', ['/usr/local/bin/twonode', 'resume'])

  const writers = [await scenario.writer('h1'), await scenario.writer('h2')]
  await scenario.poll(
    'a switchover to h2',
    async () => (await switchover(from)).code === 0,
    SWITCH_MS,
  )
  await scenario.paired('h2', SWITCH_MS)
  const { last } = await switchover(from, '--to', 'h1')
  expect(last).toMatchObject({ kind: 'proof', leader: 'h1', follower: 'h2', copied: false })
  await scenario.paired('h1', SWITCH_MS)

  const { branch, fork } = metaOf(lab, 'h1') ?? {}
  const marker = await psql('h1', `select id from kine where name = 'twonode/branch/${branch}'`)
  expect(Number(marker)).toBe((fork?.max ?? 0) + 1)
  expect(await scenario.keptTables('h1')).toEqual([])
  expect(await scenario.keptTables('h2')).toEqual([])
  for (const writer of writers)
    expect(watchVerdict(writer.log()), writer.name).toMatchObject({ ...WELL })
  expect(await scenario.end('h1', ['h1', 'h2'])).toEqual([])
})

test('25: a follower that dies in the middle of it leaves the old leader to lead on, and nothing is lost', async () => {
  const scenario = await onThePair()
  const { lab, from } = scenario
  await scenario.writer('h1')
  const asked = switchover(from)
  await scenario.poll(
    'h1 to stand still',
    async () => {
      // A leader of some seconds is reloading still: two kines take turns.
      const state = await lab.exec('h1', ['systemctl', 'is-active', 'kine.service'])
      return ['deactivating', 'inactive', 'failed'].includes(state.stdout.trim())
    },
    SWITCH_MS,
  )
  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  const { code, stderr } = await asked
  expect(code, stderr).toBe(3)
  expect(stderr).toContain('h1 leads on')
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], ALONE_MS)
  await scenario.writing(ALONE_MS)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  expect(await scenario.end('h1', [])).toEqual([])
})
