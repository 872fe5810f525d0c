import { expect, test } from 'vitest'
import { decisions, metaOf } from '../../../lab/pair_view.ts'
import { longestGap } from '../../../lab/writer_log.ts'
import { inHost, psql } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const ALONE_MS = 20_000
const FILLED_MS = 60_000
const RETURN_MS = 120_000

const MAIN = '/var/lib/postgresql/15/main'
const POSTGRES = 'postgresql@15-main.service'

/** Room for the WAL of a pair at rest, and for as much again. */
const WAL_DISK = `
systemctl stop ${POSTGRES}
mkdir /var/wal && mount -t tmpfs -o size=512m,mode=0700,uid=postgres,gid=postgres wal /var/wal
cp -a ${MAIN}/pg_wal/. /var/wal && mv ${MAIN}/pg_wal ${MAIN}/pg_wal_before && ln -s /var/wal ${MAIN}/pg_wal
systemctl start ${POSTGRES}`

/**
 * Three megabytes of WAL that is nobody's row, in a quarter of a second at least: as fast as the disk takes
 * it, the space goes from plenty to almost none between two looks of the agent.
 */
const WRITE_WAL =
  "select count(pg_logical_emit_message(false, 'fill', repeat(md5(n::text), 32768))), pg_sleep(0.25) from generate_series(1, 3) n"

test("30, B3: the WAL that is kept for a dead follower fills the leader's WAL disk: the follower is let go before, and copies when it is back; what fills it otherwise makes the leader yield", async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  await scenario.act("h1's WAL gets a disk of its own", async () => {
    for (const host of ['h1', 'h2'] as const) await inHost(host, ['twonode', 'pause'])
    await inHost('h1', ['bash', '-ec', WAL_DISK])
    for (const host of ['h1', 'h2'] as const) await inHost(host, ['twonode', 'resume'])
  })
  await scenario.paired('h1', RETURN_MS)
  const writer = await scenario.writer('h1')
  const offAt = await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone', branch: 1 }, ['h1'], ALONE_MS)
  const { slot: kept } = metaOf(lab, 'h1') ?? {}
  await scenario.poll(
    'the follower to be let go',
    async () => {
      if (metaOf(lab, 'h1')?.slot === null) return true
      await psql('h1', WRITE_WAL)
      return false
    },
    FILLED_MS,
  )
  await scenario.writing(ALONE_MS)
  const told = decisions(lab, offAt).flatMap(({ record }) =>
    record['kind'] === 'room' ? [String(record['room'])] : [],
  )
  expect(told.slice(0, 2), scenario.timeline()).toEqual(['low', 'tight'])
  expect(longestGap(writer.log(), offAt)?.ms, scenario.timeline()).toBeLessThan(5_000)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  expect(metaOf(lab, 'h1')?.slot).not.toBe(kept)
  expect(await scenario.keptTables('h2')).toHaveLength(1)
  await scenario.sameTables('h1', RETURN_MS)

  await scenario.writer('h2')
  await scenario.act("something else fills h1's WAL disk", () =>
    inHost('h1', ['bash', '-c', 'dd if=/dev/zero of=/var/wal/filled bs=1M status=none || true']),
  )
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], ALONE_MS)
  await writer.stop()
  await scenario.writing(ALONE_MS)
  await scenario.act('h1 has room again', () => inHost('h1', ['rm', '/var/wal/filled']))
  await scenario.paired('h2', RETURN_MS)
  expect(await scenario.end('h2', [])).toEqual([])
})
