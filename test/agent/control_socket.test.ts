import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type Answerer,
  askAgent,
  type ControlSocket,
  openControlSocket,
} from '../../src/agent/control_socket.ts'
import { TwonodeError } from '../../src/core/errors.ts'
import type { JsonObject } from '../../src/core/json.ts'

let folder: string
let path: string
const open: ControlSocket[] = []

beforeEach(async () => {
  folder = await mkdtemp('/tmp/twonode-control-')
  path = join(folder, 'run', 'agent.sock')
})
afterEach(async () => {
  for (const socket of open.splice(0)) await socket.close()
  await rm(folder, { recursive: true, force: true })
})

async function serve(answer: Answerer): Promise<void> {
  open.push(await openControlSocket(path, answer))
}

const echo: Answerer = async (request, line) => {
  line({ command: request.command, options: request.options })
  line({ more: true })
}

async function ask(command: string, options: JsonObject = {}): Promise<JsonObject[]> {
  const lines: JsonObject[] = []
  await askAgent(path, { command, options }, (line) => lines.push(line))
  return lines
}

/** What comes back for these bytes. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(path)
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  return text
}

test('one request is answered by lines', async () => {
  await serve(echo)
  expect(await ask('status', { watch: true })).toEqual([
    { command: 'status', options: { watch: true } },
    { more: true },
  ])
})

test('a refusal keeps its code, its words and its hint', async () => {
  await serve(async () => {
    throw new TwonodeError('E_ROLES', 'the peer answers', { hint: 'Use switchover.' })
  })
  const refused = ask('promote')
  await expect(refused).rejects.toThrow('the peer answers')
  await expect(refused).rejects.toMatchObject({
    code: 'E_ROLES',
    exitCode: 5,
    hint: 'Use switchover.',
  })
})

test('only root may ask', async () => {
  await serve(echo)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await chmod(folder, 0o755)
  const asking = [
    'use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;',
    'print connect($s, pack_sockaddr_un($ARGV[0])) ? "in" : $!{EACCES} ? "refused" : $!',
  ].join(' ')
  const nobody = { uid: 65_534, gid: 65_534 }
  const { stdout } = spawnSync('/usr/bin/perl', ['-MErrno', '-e', asking, path], {
    ...nobody,
    encoding: 'utf8',
    timeout: 10_000,
  })
  expect(stdout).toBe('refused')
})

test.each([
  ['that is no JSON', 'no JSON\n', /no JSON object/],
  ['of another version', '{"format":0,"command":"status"}\n', /speaks format 1/],
  ['without a command', '{"format":1}\n', /has a command/],
  ['with something else', '{"format":1,"command":"status","else":1}\n', /nothing else/],
  ['without an end', 'x'.repeat(100_000), /without an end/],
])('a request %s is refused in words', async (_, bytes, words) => {
  await serve(echo)
  expect(await raw(bytes)).toMatch(words)
  expect(await ask('status')).toHaveLength(2)
})

test('who says nothing is cut off', { timeout: 20_000 }, async () => {
  await serve(echo)
  expect(await raw('')).toMatch(/no request came/)
})

test('who leaves is noticed: what goes on for him ends', async () => {
  let ended = false
  await serve(async (_, line, gone) => {
    line({ first: true })
    await new Promise((resolve) => gone.addEventListener('abort', resolve))
    ended = true
  })
  const socket = connect(path)
  socket.write('{"format":1,"command":"watch"}\n')
  await new Promise((resolve) => socket.once('data', resolve))
  socket.destroy()
  await expect.poll(() => ended, { timeout: 5_000 }).toBe(true)
})

test('what a killed agent left behind is in nobody’s way; a living one is', async () => {
  await serve(echo)
  await expect(openControlSocket(path, echo)).rejects.toThrow(/another agent runs/)
  await open.pop()?.close()
  await writeFile(path, '')
  await serve(echo)
  expect(await ask('status')).toHaveLength(2)
})

test('without an agent, the answer says how to start one', async () => {
  await expect(ask('status')).rejects.toMatchObject({
    code: 'E_MISSING',
    hint: expect.stringContaining('systemctl start twonode-agent') as string,
  })
})
