import { mkdir, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { TwonodeError, toTrouble, type Trouble } from '../core/errors.ts'
import { isObject, type JsonObject, parseJson } from '../core/json.ts'

/** Version of requests and answers on the socket. */
const CONTROL_FORMAT = 1

/** Where the agent of a host is asked. The folder holds the converge's lock too. */
export const CONTROL_SOCKET = '/run/twonode/agent.sock'

/** One request is one line. @unit bytes */
const REQUEST_BYTES = 64 * 1024

/** Who connects asks at once. @unit milliseconds */
const REQUEST_TIMEOUT_MS = 5_000

/** Commands at a time: people and scripts of one host. */
const MOST_CONNECTIONS = 32

/** What may wait for a reader that does not read; then it is cut off. @unit bytes */
const MOST_WAITING_BYTES = 4 * 1024 * 1024

/** How long an agent has to show that it is there. @unit milliseconds */
const PROBE_TIMEOUT_MS = 1_000

/** What a local command asks: `status`, `pause`, `promote`… with its options. */
export interface ControlRequest {
  readonly command: string
  readonly options: JsonObject
}

/** The last line of an answer: `trouble` is null when all went well. */
interface End {
  readonly end: true
  readonly trouble: Trouble | null
}

/**
 * Answers a request by lines. Resolves when there is no more to say; throws a TwonodeError to refuse.
 * `gone` is aborted when the asker has left.
 */
export type Answerer = (
  request: ControlRequest,
  line: (data: JsonObject) => void,
  gone: AbortSignal,
) => Promise<void>

export interface ControlSocket {
  readonly close: () => Promise<void>
}

/**
 * Listens for the local command line: one JSON request, JSON lines back. For root only, by the mode of
 * the socket.
 * @throws TwonodeError E_LOCKED if another agent listens already
 */
export async function openControlSocket(path: string, answer: Answerer): Promise<ControlSocket> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  if (await isAnswered(path))
    throw new TwonodeError('E_LOCKED', `another agent runs on this host: it answers on ${path}`, {
      hint: 'Look at `systemctl status twonode-agent`.',
    })
  await rm(path, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(socket, answer)
  })
  server.maxConnections = MOST_CONNECTIONS
  await listen(server, path)
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // The name is bound within this call: nobody but root ever finds the socket open to him.
    const before = process.umask(0o177)
    try {
      server.listen(path, resolve)
    } finally {
      process.umask(before)
    }
  })
  // A connection that breaks while it is accepted ends nothing.
  server.on('error', () => {})
}

async function isAnswered(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path)
    const end = (answer: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => end(true), PROBE_TIMEOUT_MS)
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

function serve(socket: Socket, answer: Answerer): void {
  const gone = new AbortController()
  const write = (data: JsonObject | End) => {
    if (socket.destroyed) return
    socket.write(`${JSON.stringify(data)}\n`)
    if (socket.writableLength > MOST_WAITING_BYTES) socket.destroy()
  }
  const finish = (trouble: Trouble | null) => {
    write({ end: true, trouble })
    socket.end()
  }
  socket.on('error', () => {})
  socket.once('close', () => gone.abort())
  onFirstLine(socket, (line) => {
    const asked = parseRequest(line)
    if (typeof asked === 'string') return finish(refusal(asked))
    answer(asked, write, gone.signal).then(
      () => finish(null),
      (error: unknown) => finish(toTrouble(error)),
    )
  })
}

/** The first line, once; a connection that does not send one in time, or no end of it, is cut. */
function onFirstLine(socket: Socket, use: (line: string | undefined) => void): void {
  let text = ''
  const decoder = new StringDecoder('utf8')
  const end = (line: string | undefined) => {
    clearTimeout(timer)
    socket.off('data', take)
    socket.resume()
    use(line)
  }
  const take = (chunk: Buffer) => {
    text += decoder.write(chunk)
    const length = text.indexOf('\n')
    if (length >= 0) end(text.slice(0, length))
    else if (text.length > REQUEST_BYTES) end(undefined)
  }
  const timer = setTimeout(() => end(undefined), REQUEST_TIMEOUT_MS)
  socket.on('data', take)
  socket.once('close', () => clearTimeout(timer))
}

function parseRequest(line: string | undefined): ControlRequest | string {
  if (line === undefined) return 'no request came, or one without an end'
  const parsed = parseJson(line)
  if (!isObject(parsed)) return 'the request is no JSON object'
  const { format, command, options = {}, ...rest } = parsed
  if (format !== CONTROL_FORMAT)
    return `this agent speaks format ${CONTROL_FORMAT}; the command line of another version asked`
  if (typeof command !== 'string' || !isObject(options) || Object.keys(rest).length > 0)
    return 'a request has a command and its options, and nothing else'
  return { command, options: options as JsonObject }
}

function refusal(message: string): Trouble {
  return new TwonodeError('E_USAGE', message).toTrouble()
}

/**
 * Asks the agent of this host; `line` sees each line of its answer as it comes.
 * @throws TwonodeError what the agent refuses with, E_MISSING if none listens
 */
export async function askAgent(
  path: string,
  request: ControlRequest,
  line: (data: JsonObject) => void,
): Promise<void> {
  const socket = connect(path)
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (cause) => reject(noAgent(path, cause)))
    })
    socket.write(`${JSON.stringify({ format: CONTROL_FORMAT, ...request })}\n`)
    const end = await readAnswer(socket, line)
    if (end === undefined)
      throw new TwonodeError('E_FAILED', 'the agent ended in the middle of its answer')
    if (end.trouble !== null) throw asError(end.trouble)
  } finally {
    socket.destroy()
  }
}

async function readAnswer(
  socket: Socket,
  line: (data: JsonObject) => void,
): Promise<End | undefined> {
  let text = ''
  const decoder = new StringDecoder('utf8')
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    text += decoder.write(chunk)
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const one of lines) {
      const data = JSON.parse(one) as JsonObject
      if (data['end'] === true) return data as unknown as End
      line(data)
    }
  }
  return undefined
}

function noAgent(path: string, cause: unknown): TwonodeError {
  return new TwonodeError('E_MISSING', `no agent answers on ${path}`, {
    hint: 'Start it: `systemctl start twonode-agent`.',
    cause,
  })
}

/** The agent's trouble, with its own code and hint. */
function asError({ code, message, hint, detail }: Trouble): TwonodeError {
  const more = { hint, ...(detail === undefined ? {} : { detail }) }
  return new TwonodeError(code as ConstructorParameters<typeof TwonodeError>[0], message, more)
}
