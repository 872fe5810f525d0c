import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { JoinTokens, joinTokenText, parseJoinToken } from '../../src/agent/join_token.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { scratch } from '../support/engine_run.ts'

const DAY_MS = 24 * 3_600_000
const WANTED = { old: 'h2', ttlMs: DAY_MS, authority: 'a'.repeat(64) }
const USE = { key: 'k1', name: 'h3', address: '10.77.0.13', term: 3 }

let folder: ReturnType<typeof scratch>
let now: number
let tokens: JoinTokens
beforeEach(() => {
  folder = scratch()
  now = Date.UTC(2026, 10, 21)
  tokens = new JoinTokens(folder.path, () => now)
})
afterEach(() => folder.remove())

const file = () => join(folder.path, 'join-tokens.json')

test('a token is printed whole, read again as it was, and known on the disk by a hash, for root only', async () => {
  const token = await tokens.create(WANTED)
  const text = reveal(joinTokenText(token))
  expect(text).toMatch(/^[0-9a-f]{8}\.[\w-]{43}\.a{64}$/)
  expect(parseJoinToken(`${text}\n`)).toEqual(token)
  expect(String(token.secret)).not.toContain(reveal(token.secret))
  expect(readFileSync(file(), 'utf8')).not.toContain(reveal(token.secret))
  expect(statSync(file()).mode & 0o777).toBe(0o600)
})

test.each(['', 'x', `01234567.${'s'.repeat(43)}`, `01234567.${'s'.repeat(43)}.${'A'.repeat(64)}`])(
  'what is no token is refused without being quoted: %s',
  (text) => {
    expect(() => parseJoinToken(text)).toThrow(/^what came is no join token/)
  },
)

test('who has the secret is told from who has not, for a day, and not after a revocation', async () => {
  const { id, secret } = await tokens.create(WANTED)
  expect(await tokens.proven(id, secret)).toMatchObject({ old: 'h2', use: null })
  expect(await tokens.proven(id, new Secret('guess', 'test'))).toBeUndefined()
  expect(await tokens.proven('00000000', secret)).toBeUndefined()
  now += DAY_MS - 1
  expect(await tokens.proven(id, secret)).toBeDefined()
  now += 1
  expect(await tokens.proven(id, secret)).toBeUndefined()

  const second = await tokens.create(WANTED)
  expect(await tokens.revoke(second.id)).toBe(true)
  expect(await tokens.proven(second.id, second.secret)).toBeUndefined()
  expect(await tokens.revoke(second.id)).toBe(false)
})

test('a token is one newcomer’s once it is used, over a restart as well', async () => {
  const { id, secret } = await tokens.create(WANTED)
  await tokens.use(id, USE)
  await tokens.use(id, { ...USE, term: 4 })
  await expect(tokens.use(id, { ...USE, key: 'k2' })).rejects.toThrow('used or revoked')
  const next = new JoinTokens(folder.path, () => now)
  expect((await next.proven(id, secret))?.use).toEqual({ ...USE, term: 4 })
})

test('a torn file lets nobody in; the next token is the only one', async () => {
  const { id, secret } = await tokens.create(WANTED)
  for (const text of ['', '{"format":1,"tok', '{"format":1,"tokens":[{}]}', '{"format":2}']) {
    writeFileSync(file(), text)
    expect(await tokens.proven(id, secret)).toBeUndefined()
  }
  await tokens.create(WANTED)
  expect(await tokens.list()).toHaveLength(1)
})

test('more tokens than anybody needs are refused', async () => {
  for (let count = 0; count < 16; count += 1) await tokens.create(WANTED)
  await expect(tokens.create(WANTED)).rejects.toThrow('16 join tokens')
})
