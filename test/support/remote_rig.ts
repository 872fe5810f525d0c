import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { FromRunner, ToRunner } from '../../src/core/protocol.ts'
import type { Bundle } from '../../src/remote/bundle.ts'
import { openSession, type Session, type SessionOptions } from '../../src/remote/session.ts'
import type { ConnectSettings } from '../../src/remote/settings.ts'
import type { Sshd } from './sshd.ts'

/** Settings for a test sshd; `over` changes some. */
export function settingsFor(sshd: Sshd, over: Partial<ConnectSettings> = {}): ConnectSettings {
  return {
    name: 'h1',
    address: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    identityFiles: [{ path: sshd.identityFile, explicit: true }],
    identitiesOnly: true,
    identityAgent: null,
    proxyJump: [],
    hostKeyAlias: null,
    knownHostsFiles: [sshd.knownHosts],
    pins: [],
    acceptNewHostKeys: false,
    hashKnownHosts: false,
    connectTimeoutMs: 10_000,
    ...over,
  }
}

/** Writes files as a bundle below `directory`. */
export function writeBundle(directory: string, files: Readonly<Record<string, string>>): Bundle {
  const sha256 = createHash('sha256').update(JSON.stringify(files)).digest('hex')
  const folder = join(directory, `bundle-${sha256}`)
  mkdirSync(folder, { recursive: true })
  const names = Object.keys(files)
  for (const name of names) writeFileSync(join(folder, name), files[name] ?? '')
  return { sha256, files: names.map((name) => ({ name, path: join(folder, name) })) }
}

/** A runtime that is this machine's own Node under another name: hosts get a script of one line. */
export function fakeRuntime(directory: string) {
  const content = `#!/bin/sh\nexec ${process.execPath} "$@"\n`
  const path = join(directory, 'node.gz')
  writeFileSync(path, gzipSync(content))
  const sha256 = createHash('sha256').update(content).digest('hex')
  return () => Promise.resolve({ path, sha256 })
}

/**
 * A runner of a few lines: greets with its arguments, echoes what it hears as notes, ends in order on
 * `end`. Blobs are digested; `{"type":"interrupt"}` crashes it.
 */
export const ECHO_RUNNER = `
import { createHash } from 'node:crypto'
const say = (message) => process.stdout.write(JSON.stringify(message) + '\\n')
const note = (message) => say({ event: 'note', level: 'info', message })
let buffer = Buffer.alloc(0)
let blob = null
process.stdin.on('data', (chunk) => {
  buffer = Buffer.concat([buffer, chunk])
  for (;;) {
    if (blob !== null) {
      if (buffer.length < blob) return
      note('blob ' + createHash('sha256').update(buffer.subarray(0, blob)).digest('hex'))
      buffer = buffer.subarray(blob)
      blob = null
      continue
    }
    const end = buffer.indexOf(10)
    if (end < 0) return
    const message = JSON.parse(buffer.subarray(0, end))
    buffer = buffer.subarray(end + 1)
    hear(message)
  }
})
process.stdin.on('end', () => process.exit(0))
function hear(message) {
  if (message.type === 'blob') blob = message.bytes
  if (message.type === 'heartbeat') say({ type: 'heartbeat' })
  else note('heard ' + message.type)
  if (message.type === 'plan') note('uid ' + process.getuid() + ' argv ' + process.argv.slice(2))
  if (message.type === 'interrupt') { console.error('out of luck'); process.exit(7) }
  if (message.type === 'end') {
    const counts = { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0 }
    say({ event: 'host-summary', host: 'h1', counts, exitCode: 0 })
    process.exitCode = 0
    process.stdin.destroy()
  }
}
`

/** A session whose messages and notes are kept, with a bounded wait for one. */
export interface RecordedSession {
  readonly session: Session
  readonly messages: FromRunner[]
  readonly notes: string[]
  /** Texts of the notes that the echo runner said. */
  readonly heard: () => string[]
  readonly waitFor: (text: string) => Promise<void>
}

const WAIT_MS = 20_000

export async function openRecorded(
  settings: ConnectSettings,
  over: Partial<SessionOptions> & Pick<SessionOptions, 'bundle' | 'provideRuntime'>,
): Promise<RecordedSession> {
  const messages: FromRunner[] = []
  const notes: string[] = []
  const wakers = new Set<() => void>()
  const session = await openSession(settings, {
    runtime: 'bundled',
    askPassphrase: () => Promise.resolve(undefined),
    opening: OPENING,
    onNote: (note) => notes.push(note),
    onProgress: () => undefined,
    onMessage: (message) => {
      messages.push(message)
      for (const wake of wakers) wake()
    },
    ...over,
  })
  const heard = () =>
    messages.flatMap((message) =>
      'event' in message && message.event === 'note' ? [message.message] : [],
    )
  const waitFor = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!heard().includes(text)) return
        clearTimeout(timer)
        wakers.delete(look)
        resolve()
      }
      const timer = setTimeout(
        () => reject(new Error(`not heard: ${text}; but ${JSON.stringify(heard())}`)),
        WAIT_MS,
      )
      wakers.add(look)
      void session.ended.then((end) => {
        clearTimeout(timer)
        const why =
          end.kind === 'lost' ? `${end.error.message} ${end.error.detail ?? ''}` : end.kind
        reject(new Error(`ended before it said ${text}: ${why}`))
      })
      look()
    })
  return { session, messages, notes, heard, waitFor }
}

/** A plan that is one in name: the echo runner only looks at its type. */
const OPENING = { type: 'plan', padding: 'x'.repeat(100_000) } as unknown as ToRunner
