import { appendFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { laptop, kubectl, mustConverge, eventually } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const ALONE_MS = 15_000
const RETURN_MS = 60_000
const TOLD_MS = 20_000

const BREAK_GLASS = 'twonode.io/break-glass=true'

test('a site without redundancy takes only the changes on its list, and all of them when its follower is back', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const from = await laptop('first')
  const list = '[{ resources: [configmaps], namespaces: [default], names: [prices] }]'
  appendFileSync(from.inventory, `restricted: { allow: ${list} }\n`)
  await mustConverge(from)
  await kubectl('h1', ['create', 'configmap', 'hours'])

  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], ALONE_MS)
  await eventually(
    'a change is refused',
    async () => await refused(['create', 'configmap', 'x']),
    TOLD_MS,
  )
  expect(await words(['delete', 'configmap', 'hours'])).toContain('the site has no redundancy')
  await kubectl('h1', ['create', 'configmap', 'prices'])
  await kubectl('h1', ['get', 'configmap', 'hours'])
  // Whoever breaks the glass says so on the object.
  await kubectl('h1', ['label', 'configmap', 'hours', BREAK_GLASS])
  await kubectl('h1', ['delete', 'configmap', 'hours'])

  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  const change = ['create', 'configmap', 'y', '--dry-run=server']
  await eventually('a change is taken', async () => (await words(change)) || true, TOLD_MS)
  expect(await scenario.end('h1', [])).toEqual([])

  async function words(args: readonly string[]): Promise<string> {
    const argv = ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=5s', ...args]
    return (await lab.exec('h1', argv, { timeoutMs: 20_000 })).stderr
  }

  async function refused(args: readonly string[]): Promise<true | string> {
    const said = await words([...args, '--dry-run=server'])
    return said.includes('the site has no redundancy') || said || 'it was taken'
  }
})
