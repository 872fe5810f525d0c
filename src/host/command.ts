import { spawn, type ChildProcess, type SpawnOptions, type StdioOptions } from 'node:child_process'
import { constants as fsConstants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { constants as osConstants } from 'node:os'
import { join } from 'node:path'
import { TwonodeError, NotYet, messageOf } from '../core/errors.ts'
import { EXEC_TIMEOUT_MS, type ExecResult } from '../core/host.ts'

/** Kept of each of a command's two outputs; the rest is counted and dropped. @unit bytes */
export const OUTPUT_BYTES = 4 * 1024 * 1024

/** Between the polite signal and the other one. @unit milliseconds */
export const END_GRACE_MS = 3_000

/**
 * A command has ended but a daemon that it started still holds its output open: what came so far is
 * all that will be waited for. @unit milliseconds
 */
export const HELD_OUTPUT_MS = 500

/** Of a command in a message. @unit characters */
const LONGEST_SHOWN = 200

/** Commands are looked for here and nowhere else, whoever started the runner. */
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What every command sees; messages in English, so that they can be read by code and searched. */
export const BASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: SEARCH_PATH,
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
}

/** The file that a command's name stands for. @throws NotYet when there is none */
export async function findCommand(name: string): Promise<string> {
  const candidates = name.includes('/')
    ? [name]
    : SEARCH_PATH.split(':').map((directory) => join(directory, name))
  for (const candidate of candidates) if (await isExecutable(candidate)) return candidate
  throw new NotYet(`${name} is not installed`)
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, fsConstants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** The first {@link OUTPUT_BYTES} of a stream, and how much there was beyond. */
export class BoundedOutput {
  readonly #chunks: Buffer[] = []
  #kept = 0
  #dropped = 0

  add(chunk: Buffer): void {
    const part = chunk.subarray(0, OUTPUT_BYTES - this.#kept)
    if (part.length > 0) this.#chunks.push(part)
    this.#kept += part.length
    this.#dropped += chunk.length - part.length
  }

  text(): string {
    const text = Buffer.concat(this.#chunks).toString('utf8')
    return this.#dropped === 0 ? text : `${text}\n[${this.#dropped} more bytes were not kept]\n`
  }
}

/** Ends a child's whole process group when its time is over, and never waits for ever. */
export interface Watch {
  readonly timedOut: () => boolean
}

/**
 * Watches a child that leads its own process group (`detached`): SIGTERM to the group at the bound,
 * SIGKILL after the grace. The outputs are let go soon after the child itself has ended.
 */
export function watch(child: ChildProcess, timeoutMs: number): Watch {
  let timedOut = false
  const timers = new Set<NodeJS.Timeout>()
  const later = (ms: number, act: () => void) => timers.add(setTimeout(act, ms))
  const release = () => {
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
  later(timeoutMs, () => {
    timedOut = true
    signalGroup(child, 'SIGTERM')
    later(END_GRACE_MS, () => signalGroup(child, 'SIGKILL'))
  })
  child.once('exit', () => {
    // Who of the group outlives a leader that was told to end gets no second grace.
    if (timedOut) signalGroup(child, 'SIGKILL')
    // After the loop has turned once more: what is in the pipes is read first, however busy we were.
    later(HELD_OUTPUT_MS, () => setImmediate(release))
  })
  child.once('close', () => timers.forEach(clearTimeout))
  // A command may end without reading its input: that is its business.
  child.stdin?.on('error', () => {})
  return { timedOut: () => timedOut }
}

function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // ESRCH: the group is gone, which is what was wanted.
  }
}

/** How a child ended, as a shell would number it: 128 + n for signal n. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code
  return signal === null ? 255 : 128 + osConstants.signals[signal]
}

/** Standard streams of a command; fd 3 is the converge's lock, which its children hold with it. */
export function standardStreams(hasInput: boolean, lockFd: number | undefined): StdioOptions {
  return [
    hasInput ? 'pipe' : 'ignore',
    'pipe',
    'pipe',
    ...(lockFd === undefined ? [] : [lockFd]),
  ] as StdioOptions
}

export interface RunOptions {
  readonly stdin?: string
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  readonly lockFd?: number | undefined
}

/** Runs a command without any shell: for reads that every converge makes, and for very long argv. */
export async function runCommand(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<ExecResult> {
  const [name, ...rest] = argv
  const file = await findCommand(name ?? '')
  const { stdin = '', timeoutMs = EXEC_TIMEOUT_MS } = options
  const child = start(argv, [file, ...rest], {
    cwd: '/',
    env: { ...BASE_ENVIRONMENT, ...options.env },
    detached: true,
    stdio: standardStreams(stdin !== '', options.lockFd),
  })
  const stdout = new BoundedOutput()
  const stderr = new BoundedOutput()
  child.stdout?.on('data', (chunk: Buffer) => stdout.add(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.add(chunk))
  const guard = watch(child, timeoutMs)
  child.stdin?.end(stdin)
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', (error) => reject(cannotStart(argv, error)))
    child.once('close', (status, signal) => resolve(exitCode(status, signal)))
  })
  if (guard.timedOut()) throw tookTooLong(argv, timeoutMs, stderr.text())
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

/** Begun, and neither waited for nor bounded: it holds no lock, and none of our streams. */
export async function beginCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ExecResult> {
  const child = start(argv, argv, { cwd: '/', env, detached: true, stdio: 'ignore' })
  child.unref()
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(cannotStart(argv, error)))
    child.once('spawn', resolve)
  })
  return { code: 0, stdout: '', stderr: '' }
}

/** Some refusals of the system are thrown at once (an argument that is too long), others come later. */
function start(
  argv: readonly string[],
  [file = '', ...rest]: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  try {
    return spawn(file, rest, options)
  } catch (error) {
    throw cannotStart(argv, error)
  }
}

/** The error of a command whose time was over. */
export function tookTooLong(
  argv: readonly string[],
  timeoutMs: number,
  stderr: string,
): TwonodeError {
  const message = `${shortened(argv)} did not end within ${timeoutMs / 1000} s`
  return new TwonodeError('E_COMMAND_TIMEOUT', message, stderr === '' ? {} : { detail: stderr })
}

/** A command as a message can hold it. */
function shortened(argv: readonly string[]): string {
  const line = argv.join(' ')
  return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line
}

/** The error of a command that the system would not start: no memory, no process slots. */
export function cannotStart(argv: readonly string[], cause: unknown): TwonodeError {
  const reason = messageOf(cause)
  return new TwonodeError('E_COMMAND_FAILED', `${argv[0]} can not be started: ${reason}`, { cause })
}
