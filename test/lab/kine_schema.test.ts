import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  converge,
  makeKine,
  plan,
  startBench,
  step,
  type Bench,
} from '../support/postgres_bench.ts'
import { eventually, theLab } from './pair.ts'

const run = promisify(execFile)

const BINARIES = '/usr/lib/postgresql/15/bin'

/** kine reads the whole schema when it starts, and then listens. @unit milliseconds */
const START_MS = 30_000

let bench: Bench
let program: string
const running: ChildProcess[] = []

beforeAll(async () => {
  const { kine } = await (await theLab()).artefacts()
  program = kine.path
  bench = await startBench({ tcp: true })
  await makeKine(bench.host)
  await bench.server.sql('postgres', 'create database by_kine owner kine')
})
afterEach(async () => {
  for (const child of running.splice(0)) await end(child)
})
afterAll(async () => {
  await bench.close()
})

test("kine_schema's table is the one that real kine makes, to the last byte of its dump", async () => {
  await kineServes('by_kine')
  const [owned] = await bench.server.sql<{ owner: string }>(
    'by_kine',
    "select tableowner as owner from pg_tables where tablename = 'kine'",
  )
  expect(owned?.owner).toBe('kine')
  const byKine = await dump('by_kine')
  for (const part of [
    'CREATE TABLE public.kine',
    'kine_id_seq',
    'COLLATE pg_catalog."C"',
    'kine_list_query_index',
  ])
    expect(byKine).toContain(part)
  expect(await dump('kine')).toBe(byKine)
  // And the other way: the module finds nothing to do on kine's own.
  expect(await plan(bench.host, step('kine_schema', { database: 'by_kine' }))).toEqual([])
})

test('real kine starts on the table of kine_schema, serves, and alters nothing of it', async () => {
  const before = await dump('kine')
  await kineServes('kine')
  expect(await dump('kine')).toBe(before)
  expect(await converge(bench.host, 'kine_schema', { database: 'kine' })).toEqual([])
  // It writes where it always does: the sequence is its own.
  const rows = await bench.server.sql<{ name: string }>('kine', 'select name from kine')
  expect(rows.map(({ name }) => name)).toContain('compact_rev_key')
})

/** Starts kine on a database and waits until it takes connections: its schema is set up by then. */
async function kineServes(database: string): Promise<void> {
  const port = await freePort()
  const endpoint = `postgres://kine@127.0.0.1:${bench.server.port}/${database}?sslmode=disable`
  const child = spawn(
    program,
    [
      '--endpoint',
      endpoint,
      '--listen-address',
      `127.0.0.1:${port}`,
      '--metrics-bind-address',
      '0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  running.push(child)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  await eventually(
    `kine serves ${database}`,
    async () => {
      expect(child.exitCode, said).toBeNull()
      const [row] = await bench.server.sql<{ made: boolean }>(database, MADE)
      return row?.made === true && (await bench.host.reachable('127.0.0.1', port, 1_000))
        ? true
        : said
    },
    START_MS,
  )
}

/** The last index that kine makes, and its first row. */
const MADE = `select to_regclass('public.kine_list_query_index') is not null
  and exists (select from pg_class where oid = to_regclass('public.kine') and relkind = 'r') as made`

/** The whole database: what kine makes beside its table would be seen too. */
async function dump(database: string): Promise<string> {
  const { socketDirectory, port } = bench.server
  const at = ['-h', socketDirectory, '-p', String(port), '-U', 'postgres']
  const { stdout } = await run(`${BINARIES}/pg_dump`, [...at, '--schema-only', database])
  // The words that psql is protected with are random; the database's name is not in a dump of its content.
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '')
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
