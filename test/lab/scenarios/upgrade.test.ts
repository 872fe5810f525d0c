import { expect, test } from 'vitest'
import { NEWER_KINE, withNewerKine } from '../../../lab/newer_kine.ts'
import { finished, startTwonode, type Laptop } from '../../../lab/twonode_process.ts'
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
  const sums = await Promise.all(
    (['h1', 'h2'] as const).map((host) => inHost(host, ['sha256sum', '/usr/local/bin/kine'])),
  )
  expect(sums[0]).toBe(sums[1])
  for (const host of ['h1', 'h2'] as const)
    expect(await inHost(host, ['/usr/local/bin/twonode', 'status'])).toMatch(
      /^paused +this host: no/m,
    )
  const again = await upgrade(laptop, '--kine', NEWER_KINE)
  expect(again, 'nothing is left to do').toMatchObject({ code: 0 })
  expect(again.said).not.toContain('is done')
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
