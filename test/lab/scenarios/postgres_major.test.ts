import { expect, test } from 'vitest'
import { NEWER_POSTGRES, withNewerPostgres } from '../../../lab/newer_postgres.ts'
import type { HostName } from '../../../lab/names.ts'
import { agentStatus } from '../../../lab/pair_view.ts'
import { explain, finished, startTwonode, type Laptop } from '../../../lab/twonode_process.ts'
import { inHost, psql } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const UPGRADE_MS = 10 * 60_000
const PAIRED_MS = 90_000

/** The last that a host hears of its new version. */
const SITE_STEP = 'The compiled site is on this host'

const TO_NEWER = ['--postgres-major', String(NEWER_POSTGRES)]

/** Half of it: `bench -- upgrade --kind postgres-major` takes both hosts over, which costs a minute more. */
test('28: a newer major version of PostgreSQL comes to the follower first; with the upgrade cut there the two are a pair either way round, and it takes over from the older one', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const laptop = withNewerPostgres(scenario.from)
  const plain = await twonode(laptop, ['converge'])
  expect(plain.code, explain(plain)).toBe(5)
  expect(plain.stdout).toContain('E_POSTGRES_MAJOR')

  await scenario.writer('h1')
  await scenario.writer('h2')
  await scenario.act('the follower goes over, and the upgrade is interrupted', () =>
    interrupted(laptop),
  )
  expect([await majorOf('h1'), await majorOf('h2')]).toEqual([15, NEWER_POSTGRES])
  // It starts anew with the site that it was given: before that nobody hears what an operator says.
  await scenario.poll(
    'the agent of h2 to go by the newer version',
    async () => {
      const said = await agentStatus(lab, 'h2')
      return said['postgresMajor'] === NEWER_POSTGRES && said['siteReplaced'] === false
    },
    PAIRED_MS,
  )
  await inHost('h2', ['/usr/local/bin/twonode', 'leave', '--end'])
  const resumed = await twonode(laptop, ['resume'])
  expect(resumed.code, explain(resumed)).toBe(0)
  await scenario.paired('h1', PAIRED_MS)
  await scenario.sameTables('h1', PAIRED_MS)

  const status = await twonode(laptop, ['status'])
  expect(`${status.stdout}${status.stderr}`).toContain('two major versions of PostgreSQL serve')

  await scenario.act('h1, which leads with the older one, loses its power', () =>
    lab.powerOff('h1'),
  )
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], PAIRED_MS)
  await scenario.act('h1 has power again', () => lab.powerOn('h1'))
  // From the newer one to the older one.
  await scenario.paired('h2', PAIRED_MS)
  await scenario.sameTables('h2', PAIRED_MS)

  expect(await scenario.end('h2', [])).toEqual([])
})

async function twonode(from: Laptop, [command = '', ...more]: readonly string[]) {
  const argv = [command, '-i', from.inventory, '--json', ...more]
  return await finished(startTwonode(from, argv), UPGRADE_MS)
}

/** Ctrl-C when the follower's new cluster is there and its agent hears of it: nothing further is begun. */
async function interrupted(from: Laptop): Promise<void> {
  const child = startTwonode(from, ['upgrade', '-i', from.inventory, '--json', ...TO_NEWER])
  let told = ''
  child.stderr?.on('data', (text: Buffer) => {
    const before = told
    told += text.toString()
    const isNow = !before.includes(SITE_STEP) && told.includes(SITE_STEP)
    if (isNow) child.kill('SIGINT')
  })
  const run = await finished(child, UPGRADE_MS)
  expect(run.code, explain(run)).not.toBe(0)
  expect(run.stdout).not.toContain('hands its lead over')
}

async function majorOf(host: HostName): Promise<number> {
  return Number(await psql(host, "select current_setting('server_version_num')::int / 10000"))
}
