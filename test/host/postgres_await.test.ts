import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createPostgres, type Postgres } from '../../src/host/postgres.ts'

const STARTING = refusal('57P03', 'the database system is starting up')
const NO_DATABASE = refusal('3D000', 'database "kine" does not exist')

/** The error that a server ends a new session with, in PostgreSQL's protocol. */
function refusal(code: string, words: string): Buffer {
  const body = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${words}\0\0`)
  const head = Buffer.alloc(5, 'E')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Says `words` of its own accord to each session, by its number. */
async function serverThatSays(
  words: (session: number) => Buffer,
): Promise<{ readonly postgres: Postgres; readonly sessions: () => number }> {
  let sessions = 0
  const server = createServer((socket) => {
    sessions += 1
    const mine = sessions
    socket.on('error', () => {})
    socket.once('data', () => socket.end(words(mine)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const { port } = address
  const postgres = createPostgres({ socketDirectory: '127.0.0.1', port, user: 'postgres' })
  closing.push(async () => {
    await postgres.close()
    await new Promise((resolve) => server.close(resolve))
  })
  return { postgres, sessions: () => sessions }
}

const asked = { text: 'select 1' }

test('a server that is starting is an error at once, unless it is awaited', async () => {
  const { postgres, sessions } = await serverThatSays(() => STARTING)
  await expect(postgres.query('kine', asked, undefined)).rejects.toThrow(/starting up/)
  expect(sessions()).toBe(1)
})

test('one that is awaited is asked until it lets us in, or has something else to say', async () => {
  const { postgres, sessions } = await serverThatSays((session) =>
    session < 3 ? STARTING : NO_DATABASE,
  )
  postgres.awaitServer(60_000)
  await expect(postgres.query('kine', asked, undefined)).rejects.toThrow(/does not exist/)
  expect(sessions()).toBe(3)
})

test('nobody waits longer than that, and something more pressing ends the wait', async () => {
  const { postgres, sessions } = await serverThatSays((session) => {
    if (session === 2) postgres.awaitServer(0)
    return STARTING
  })
  postgres.awaitServer(60_000)
  await expect(postgres.query('kine', asked, undefined)).rejects.toThrow(/starting up/)
  expect(sessions()).toBe(2)
})
