import { expect, test } from 'vitest'
import { NEWER_KINE, withNewerKine } from '../../../lab/newer_kine.ts'
import { withNewerTwonode } from '../../../lab/newer_twonode.ts'
import { agentStatus } from '../../../lab/pair_view.ts'
import { explain, finished, startTwonode, type Laptop } from '../../../lab/twonode_process.ts'
import type { HostName } from '../../../lab/names.ts'
import { inHost } from '../pair.ts'
import { onThePair, startScenario } from '../scenario.ts'

/** @unit milliseconds */
const UPGRADE_MS = 15 * 60_000
const PAIRED_MS = 90_000

async function upgrade(from: Laptop, ...more: readonly string[]) {
  const argv = ['upgrade', '-i', from.inventory, '--json', ...more]
  const { code, stdout, stderr } = await finished(startTwonode(from, argv), UPGRADE_MS)
  return { code, said: `${stdout}\n${stderr}` }
}

test('28: kine on both hosts is another one afterwards, and the follower had its turn first', async () => {
  const scenario = await startScenario()
  const laptop = await withNewerKine(scenario.lab, scenario.from)
  const wrong = await upgrade(laptop, '--kine', 'v98.0.0')
  expect(wrong).toMatchObject({ code: 2, said: expect.stringContaining('inventory has v99.0.0') })
  const check = await upgrade(laptop, '--kine', NEWER_KINE, '--check')
  expect(check.code, check.said).toBe(10)

  await scenario.writer('h1')
  await scenario.writer('h2')
  const { code, said } = await upgrade(laptop, '--kine', NEWER_KINE)
  expect(code, said).toBe(0)
  expect(said.indexOf('h2 is done')).toBeGreaterThan(0)
  expect(said.indexOf('h2 is done')).toBeLessThan(said.indexOf('h1 is done'))
  await scenario.paired('h2', PAIRED_MS)
  expect(await kineOf('h1')).toBe(await kineOf('h2'))
  for (const host of ['h1', 'h2'] as const)
    expect(await inHost(host, ['/usr/local/bin/twonode', 'status'])).toMatch(
      /^paused +this host: no/m,
    )
  const again = await upgrade(laptop, '--kine', NEWER_KINE)
  expect(again, 'nothing is left to do').toMatchObject({ code: 0 })
  expect(again.said).not.toMatch(/h[12] is done/)
  expect(await scenario.end('h2', [])).toEqual([])
})

test('28: a follower that boots is let go by its leader first: no write waits for it', async () => {
  const scenario = await onThePair()
  await scenario.writer('h2')
  await inHost('h1', ['/usr/local/bin/twonode', 'leave'])
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], PAIRED_MS)
  await scenario.act('h1 boots', () => scenario.lab.reboot('h1'))
  await scenario.paired('h2', PAIRED_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

test('36: in the middle of an upgrade, with another twonode and another kine on either host, both agents agree, and the one takes over from the other', async () => {
  const scenario = await onThePair()
  const { from, lab } = scenario
  const env = withNewerTwonode(from)
  await scenario.writer('h1')
  // Its inventory still has the kine from before.
  await scenario.act('h1 gets another twonode and the older kine', () =>
    converges(from, ['--limit', 'h1'], env),
  )
  await scenario.paired('h2', PAIRED_MS)
  await scenario.poll(
    'agents of two builds that hear each other',
    async () => {
      const [h1, h2] = await Promise.all([agentStatus(lab, 'h1'), agentStatus(lab, 'h2')])
      const hear = h1['peer'] === 'answers' && h2['peer'] === 'answers'
      return hear && h1['bundle'] !== h2['bundle'] && h1['siteReplaced'] === false
    },
    PAIRED_MS,
  )
  const kines = [await kineOf('h1'), await kineOf('h2')]
  expect(new Set(kines).size).toBe(2)

  await scenario.act('h2, which leads, loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], PAIRED_MS)
  await scenario.writing(PAIRED_MS)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', PAIRED_MS)
  await scenario.sameTables('h1', PAIRED_MS)
  expect(await scenario.end('h1', [])).toEqual([])
})

async function converges(
  from: Laptop,
  args: readonly string[],
  env: Record<string, string>,
): Promise<void> {
  const argv = ['converge', '-i', from.inventory, '--json', ...args]
  const run = await finished(startTwonode(from, argv, env))
  expect(run.code, explain(run)).toBe(0)
}

async function kineOf(host: HostName): Promise<string> {
  return await inHost(host, ['sha256sum', '/usr/local/bin/kine'])
}
