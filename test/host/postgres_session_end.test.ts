import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import { createPostgres, type Postgres } from '../../src/host/postgres.ts'

const BOUNDS = { statementTimeoutMs: 2_000, lockTimeoutMs: 200 }

/** One message of PostgreSQL's protocol. @source https://www.postgresql.org/docs/15/protocol-message-formats.html */
function message(type: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}

const LET_IN = message('R', Buffer.alloc(4))
const READY = message('Z', Buffer.from('I'))
const DONE = Buffer.concat([message('C', Buffer.from('OK\0')), READY])
const PREPARED = Buffer.concat([message('1'), message('2'), message('n')])
const ENDED = message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminated by administrator\0\0'))

interface FakeServer {
  readonly postgres: Postgres
  /** What each session was asked, in the order in which they were opened. */
  readonly sessions: readonly (readonly string[])[]
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Answers everything; the first session that is asked `last` ends in the same packet as the answer. */
async function serverThatEndsAfter(last: string): Promise<FakeServer> {
  const sessions: string[][] = []
  const server = createServer((socket) => {
    const asked: string[] = []
    sessions.push(asked)
    serve(socket, (text) => {
      const isLast = text.includes(last) && !sessions.flat().some((one) => one.includes(last))
      asked.push(text)
      return isLast
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const postgres = createPostgres({
    socketDirectory: '127.0.0.1',
    port: portOf(server),
    user: 'postgres',
  })
  closing.push(async () => {
    await postgres.close()
    await new Promise((resolve) => server.close(resolve))
  })
  return { postgres, sessions }
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** `isLast` hears each statement, and says whether the session ends with it. */
function serve(socket: Socket, isLast: (text: string) => boolean): void {
  let rest = Buffer.alloc(0)
  let started = false
  let prepared = ''
  const answer = (text: string, words: Buffer) => {
    if (isLast(text)) socket.end(Buffer.concat([words, ENDED]))
    else socket.write(words)
  }
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const head = started ? 1 : 0
      if (rest.length < head + 4 || rest.length < head + rest.readInt32BE(head)) return
      const size = head + rest.readInt32BE(head)
      const [type, body] = [rest.toString('latin1', 0, head), rest.subarray(head + 4, size)]
      rest = rest.subarray(size)
      if (!started) socket.write(Buffer.concat([LET_IN, READY]))
      started = true
      if (type === 'Q') answer(textAt(body, 0), DONE)
      if (type === 'P') prepared = textAt(body, body.indexOf(0) + 1)
      if (type === 'S') answer(prepared, Buffer.concat([PREPARED, DONE]))
    }
  })
}

function textAt(body: Buffer, from: number): string {
  return body.toString('utf8', from, body.indexOf(0, from))
}

test('a transaction whose session ends between two statements fails, and goes on in no other', async () => {
  const { postgres, sessions } = await serverThatEndsAfter('insert 1')
  const doing = postgres.transaction('kine', [{ text: 'insert 1' }, { text: 'insert 2' }], BOUNDS)
  await expect(doing).rejects.toThrow(TwonodeError)
  await expect(doing).rejects.toMatchObject({ code: 'E_SQL' })
  expect(sessions.flat()).toContain('insert 1')
  expect(sessions.flat()).not.toContain('insert 2')
  expect(sessions.flat()).not.toContain('commit')
})

test('a transaction whose session ends right after its begin runs nothing outside of it', async () => {
  const { postgres, sessions } = await serverThatEndsAfter('begin')
  const doing = postgres.transaction('kine', [{ text: 'insert 1' }], BOUNDS)
  await expect(doing).rejects.toMatchObject({ code: 'E_SQL' })
  expect(sessions.flat()).not.toContain('insert 1')
})

test('a statement with bounds of its own never runs without them', async () => {
  const { postgres, sessions } = await serverThatEndsAfter('set_config')
  await postgres.query('kine', { text: 'select 1' }, BOUNDS)
  const [first = [], second = []] = sessions
  expect(first.join('\n')).not.toContain('select 1')
  expect(second[0]).toContain('set_config')
  expect(second[1]).toBe('select 1')
})

test('a statement that was answered is not sent again when its session ends', async () => {
  const { postgres, sessions } = await serverThatEndsAfter('insert 1')
  await postgres.query('kine', { text: 'insert 1' }, BOUNDS)
  await postgres.query('kine', { text: 'select 2' }, undefined)
  expect(sessions.flat().filter((text) => text === 'insert 1')).toHaveLength(1)
  expect(sessions[1]).toEqual(['select 2'])
})
