import { beforeEach, describe, expect, test } from 'vitest'
import { applyAll, converge, notes, plan, result, step, until } from '../support/postgres_bench.ts'
import { sharedBench } from '../support/bench_of_file.ts'
import { postgresLaws } from '../support/postgres_laws.ts'
import { postgresSetting } from '../../modules/postgres_setting.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = sharedBench()
beforeEach(async () => {
  await converge(bench.host, 'postgres_setting', reset)
})

const waits = { name: 'synchronous_standby_names', value: '"h2"', checkpoint: true }
const reset = { name: 'synchronous_standby_names', state: 'reset' }

const running = async (name: string) => {
  const [row] = await bench.server.sql<Record<string, string>>('postgres', `show ${name}`)
  return row?.[name]
}

moduleCases(postgresSetting)

describe('laws', () => {
  postgresLaws('postgres_setting', () => bench, [
    { title: 'A3: names of synchronous standbys', args: waits, opposite: reset },
    {
      title: 'a duration',
      args: { name: 'deadlock_timeout', value: '2000ms' },
      opposite: { name: 'deadlock_timeout', state: 'reset' },
    },
    {
      title: 'one that our own sessions have otherwise',
      args: { name: 'statement_timeout', value: '1h' },
      opposite: { name: 'statement_timeout', state: 'reset' },
    },
  ])
})

test('a new connection sees the value as soon as the task ends', async () => {
  for (const value of ['1s', '2s', '3s', '4s', '5s']) {
    await converge(bench.host, 'postgres_setting', { name: 'log_lock_waits', value: 'on' })
    await converge(bench.host, 'postgres_setting', { name: 'deadlock_timeout', value })
    expect(await running('deadlock_timeout')).toBe(value)
  }
})

test('A3: a run that was cut before the checkpoint returned is taken up again', async () => {
  const changes = await plan(bench.host, step('postgres_setting', waits))
  const checkpoint = changes.findIndex(
    (change) => change.kind === 'sql' && change.text === 'checkpoint',
  )
  await applyAll(bench.host, changes.slice(0, checkpoint))
  expect((await running('synchronous_standby_names'))?.trim()).toBe('"h2"')
  expect(await converge(bench.host, 'postgres_setting', waits)).toContain(
    'sql in postgres: checkpoint',
  )
  expect(await converge(bench.host, 'postgres_setting', waits)).toEqual([])
})

/** A commit that would wait for a follower. */
const commits = async () =>
  await bench.server.sql('postgres', "select pg_logical_emit_message(true, 'test', 'a write')")

test('A3: while the checkpointer is busy "every write waits" is not true yet, and the task does not end', async () => {
  const [row] = await bench.server.sql<{ pid: number }>(
    'postgres',
    "select pid from pg_stat_activity where backend_type = 'checkpointer'",
  )
  const pid = row?.pid ?? 0
  process.kill(pid, 'SIGSTOP')
  let ended = false
  const run = converge(bench.host, 'postgres_setting', waits).then(() => (ended = true))
  try {
    await until(
      bench.server,
      'postgres',
      "select count(*) = 1 from pg_stat_activity where query = 'checkpoint' and state = 'active'",
    )
    // A new connection sees the names, and its commit is acknowledged by this host alone.
    expect((await running('synchronous_standby_names'))?.trim()).toBe('"h2"')
    await commits()
    expect(ended).toBe(false)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await run
  const waiting = commits()
  const text = "select count(*) = 1 from pg_stat_activity where wait_event = 'SyncRep'"
  await until(bench.server, 'postgres', text)
  await converge(bench.host, 'postgres_setting', reset)
  await waiting
})

test('a value stored and never loaded is loaded', async () => {
  await bench.server.sql('postgres', "alter system set deadlock_timeout = '7s'")
  expect(
    await converge(bench.host, 'postgres_setting', { name: 'deadlock_timeout', value: '7s' }),
  ).toHaveLength(2)
  expect(await running('deadlock_timeout')).toBe('7s')
})

test('B2: a reset that was stored and never loaded is loaded', async () => {
  await converge(bench.host, 'postgres_setting', { ...waits, checkpoint: false })
  await bench.server.sql('postgres', 'alter system reset synchronous_standby_names')
  expect(await converge(bench.host, 'postgres_setting', reset)).toHaveLength(2)
  expect(await running('synchronous_standby_names')).toBe('')
})

test('a parameter that does not exist is refused with the nearest name', async () => {
  const args = { name: 'synchronous_standby_name', value: 'x' }
  await expect(plan(bench.host, step('postgres_setting', args))).rejects.toThrow(
    'PostgreSQL has no parameter synchronous_standby_name; did you mean synchronous_standby_names?',
  )
})

test('a parameter that PostgreSQL only shows is refused', async () => {
  const args = { name: 'block_size', value: '4096' }
  await expect(plan(bench.host, step('postgres_setting', args))).rejects.toThrow('only shows it')
})

test('one that needs a restart is stored and noted, and the server is not restarted', async () => {
  const args = { name: 'max_wal_senders', value: '12' }
  await converge(bench.host, 'postgres_setting', args)
  expect(await notes(bench.host, 'postgres_setting', args)).toEqual([
    'max_wal_senders takes effect when PostgreSQL is restarted',
  ])
  expect(await result(bench.host, 'postgres_setting', args)).toMatchObject({
    value: '10',
    stored: '12',
  })
  expect(await converge(bench.host, 'postgres_setting', args)).toEqual([])
  await converge(bench.host, 'postgres_setting', { name: 'max_wal_senders', state: 'reset' })
})

test('a list of quoted names stays a list', async () => {
  const args = { name: 'session_preload_libraries', value: 'auto_explain, plpgsql' }
  await converge(bench.host, 'postgres_setting', args)
  expect(await running('session_preload_libraries')).toBe('auto_explain, plpgsql')
  expect(await converge(bench.host, 'postgres_setting', args)).toEqual([])
})

test('neither value nor reset is refused before anything is asked', () => {
  expect(() => step('postgres_setting', { name: 'work_mem' })).toThrow(
    'a value, or state: reset without one',
  )
  expect(() => step('postgres_setting', { ...reset, value: 'x' })).toThrow(
    'a value, or state: reset',
  )
})
