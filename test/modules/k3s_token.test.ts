import { createDecipheriv, createCipheriv, createHash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { k3sToken } from '../../modules/k3s_token.ts'
import type { Host } from '../../src/core/host.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { moduleCases } from '../support/module_cases.ts'
import { converge, kineWrites, result } from '../support/postgres_bench.ts'

const FILE = '/etc/twonode/pki/k3s-token'
const SERVER = '/var/lib/rancher/k3s/server/token'
const OLD = 'old-token-0123456789'
const NEW = 'new-token-0123456789'
const SHARED = JSON.stringify({ ServerCA: { Content: 'c2VjcmV0' } })

const bench = kineBench()
const disk = new Map<string, string>()

/** The real PostgreSQL, and a disk in memory. */
function host(): Host {
  return {
    ...bench.host,
    readFile: async (path) => disk.get(path),
    writeFile: async (path, content) => void disk.set(path, reveal(content)),
  }
}

const args = (state: string, token = NEW) => ({
  database: 'kine',
  token: new Secret(token, 'test') as unknown as string,
  state,
})
const is = async (token = NEW) => await result(host(), 'k3s_token', args('any', token))

/** As k3s' pkg/cluster/encrypt.go has it, by another library than ours. */
const hashed = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 12)
const keyFor = (token: string, salt: string) => pbkdf2Sync(token, salt, 4096, 32, 'sha1')

function seal(token: string): string {
  const [salt, nonce] = [randomBytes(8).toString('hex'), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', keyFor(token, salt), nonce)
  const text = Buffer.concat([cipher.update(SHARED), cipher.final(), cipher.getAuthTag()])
  return `${salt}:${Buffer.concat([nonce, text]).toString('base64')}`
}

function open(token: string, sealed: string): string {
  const [salt = '', text = ''] = sealed.split(':')
  const whole = Buffer.from(text, 'base64')
  const cipher = createDecipheriv('aes-256-gcm', keyFor(token, salt), whole.subarray(0, 12))
  cipher.setAuthTag(whole.subarray(-16))
  return Buffer.concat([cipher.update(whole.subarray(12, -16)), cipher.final()]).toString()
}

/** What a server with this token finds, as kine lists keys. */
async function found(token: string): Promise<string | undefined> {
  const [row] = await bench.server.sql<{ value: string }>(
    'kine',
    `select convert_from(value, 'utf8') as value from (
       select distinct on (name) * from kine where name = $1 order by name, id desc) latest where deleted = 0`,
    [`/bootstrap/${hashed(token)}`],
  )
  return row === undefined ? undefined : open(token, row.value)
}

beforeEach(async () => {
  await bench.server.sql('kine', 'truncate kine')
  await kineWrites(bench.server, `/bootstrap/${hashed(OLD)}`, seal(OLD))
  disk.clear()
  disk.set(FILE, `${OLD}\n`)
  disk.set(SERVER, `K10${'a'.repeat(64)}::server:${OLD}\n`)
})

moduleCases(k3sToken)

test('known, held, alone: each finds done what was done, and a server with the new token finds what the old one did', async () => {
  expect(await is()).toEqual({ known: false, held: false, served: false, others: 1 })
  expect(await converge(host(), 'k3s_token', args('known'))).toHaveLength(1)
  expect(await found(NEW)).toBe(SHARED)
  expect(await found(OLD), 'it opens as well').toBe(SHARED)
  expect(await converge(host(), 'k3s_token', args('known'))).toEqual([])
  await converge(host(), 'k3s_token', args('held'))
  expect(disk.get(FILE)).toBe(`${NEW}\n`)
  expect(await is()).toEqual({ known: true, held: true, served: false, others: 1 })
  await converge(host(), 'k3s_token', args('alone'))
  expect(await found(NEW)).toBe(SHARED)
  expect(await found(OLD)).toBeUndefined()
  disk.set(SERVER, `K10${'a'.repeat(64)}::server:${NEW}\n`)
  expect(await is()).toEqual({ known: true, held: true, served: true, others: 0 })
})

test('a token that was there before comes back, upon its own deletion as kine has it', async () => {
  for (const token of [NEW, OLD])
    for (const state of ['known', 'held', 'alone'])
      await converge(host(), 'k3s_token', args(state, token))
  expect(await found(OLD)).toBe(SHARED)
  const rows = await bench.server.sql(
    'kine',
    'select created, deleted, prev_revision > 0 as upon, value is null as empty from kine order by id',
  )
  expect(rows).toEqual([
    { created: 1, deleted: 0, upon: false, empty: false },
    { created: 1, deleted: 0, upon: false, empty: false },
    { created: 0, deleted: 1, upon: true, empty: true },
    { created: 1, deleted: 0, upon: true, empty: false },
    { created: 0, deleted: 1, upon: true, empty: true },
  ])
})

test.each([
  ['held', {}, 'the datastore of this host does not know the token yet'],
  ['alone', {}, 'this host does not hold the token yet'],
  ['known', { [FILE]: 'another-token-012345\n' }, 'opens nothing that k3s has in the datastore'],
])('%s is refused while a server could not start for it', async (state, files, why) => {
  for (const [path, text] of Object.entries(files)) disk.set(path, text)
  await expect(converge(host(), 'k3s_token', args(state))).rejects.toThrow(why)
  expect(await found(OLD)).toBe(SHARED)
})

test('nothing of a token, nor of what it opens, is in what people see', async () => {
  const said = [
    await converge(host(), 'k3s_token', args('known')),
    await converge(host(), 'k3s_token', args('held')),
    await converge(host(), 'k3s_token', args('alone')),
    await is(),
  ]
  for (const secret of [OLD, NEW, hashed(OLD), hashed(NEW)])
    expect(JSON.stringify(said)).not.toContain(secret)
})
