import { expect, test } from 'vitest'
import { agentStatus, decisions, metaOf } from '../../../lab/pair_view.ts'
import { inHost, psql } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const ALONE_MS = 30_000
const GONE_MS = 12_000
const PROMOTED_MS = 30_000

const TWONODE = '/usr/local/bin/twonode'

test('18: a follower that is too far behind when its leader dies does not lead by itself; by force the loss is shown, wanted, and written down', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const writer = await scenario.writer('h1')
  await scenario.act('h2 applies nothing any more', () =>
    psql('h2', 'alter subscription twonode disable'),
  )
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], ALONE_MS)
  // What is written from here on is on one disk: h2 would apply again before long, as its role has it.
  await scenario.act('the link between them is cut', () => lab.cut('h1', { from: 'peer' }))
  await scenario.writing(ALONE_MS)
  scenario.forget(writer)
  await writer.stop()
  await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.act('the link is there again', () => lab.heal())
  await scenario.holds('h2 does not lead', () => metaOf(lab, 'h2')?.leader === 'h1', GONE_MS)

  const refused = await lab.exec('h2', [TWONODE, 'promote'])
  expect(refused.stderr).toContain('nothing proves that h2 has everything that h1 acknowledged')
  const unsaid = await lab.exec('h2', [TWONODE, 'promote', '--force'])
  expect(unsaid.stdout).toMatch(/h1 was heard \d+ s ago/)
  expect(unsaid.stderr).toContain('nobody is there to say yes to what may be lost')
  expect((await agentStatus(lab, 'h2'))['role']).toBe('follower')

  await scenario.act('h2 is promoted by force', () =>
    inHost('h2', [TWONODE, 'promote', '--force', '--yes']),
  )
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], PROMOTED_MS)
  const losses = () => decisions(lab).filter(({ record }) => record['kind'] === 'loss')
  await scenario.poll('it is written down', () => losses().length > 0, PROMOTED_MS)
  expect(losses()).toMatchObject([{ host: 'h2' }])
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  await scenario.paired('h2', 3 * PROMOTED_MS)
  expect(await scenario.keptTables('h1'), 'what only h1 had is kept there').toHaveLength(1)
  expect(await scenario.end('h2', [])).toEqual([])
})
