import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { LabError } from './lab_error.ts'

/** How a command ended; -1 as code when a signal or the time bound ended it. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string
  /** @unit milliseconds. On expiry the command's whole process group is killed. Default one minute. */
  readonly timeoutMs?: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called with each line of both outputs, for progress. */
  readonly onLine?: (line: string) => void
}

/** Of each output this much is kept, from its beginning. @unit characters */
const KEPT_OUTPUT = 16 * 1024 * 1024

const running = new Set<number>()

let isEnding = false

/** Ends every command that is still under way: for a signal handler, before the process exits. */
export function endCommands(): void {
  isEnding = true
  for (const pid of running) killGroup(pid)
}

/**
 * A command that someone else started, as leader of its group, ends with the others; after them at
 * once. What this file runs still starts then: a lab is taken down by it.
 */
export function endsWithOthers(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  if (isEnding) return killGroup(pid)
  running.add(pid)
  child.once('close', () => running.delete(pid))
}

/** Runs argv without a shell, in a process group of its own. A non-zero exit is data. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const [file = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    })
    const { pid } = child
    if (pid !== undefined) running.add(pid)
    const timer = setTimeout(() => pid && killGroup(pid), options.timeoutMs ?? 60_000)
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8')
      child[name].on('data', (text: string) => {
        if (output[name].length < KEPT_OUTPUT) output[name] += text
      })
      if (options.onLine) createInterface(child[name]).on('line', options.onLine)
    }
    // A command may end without reading its input: its exit code tells, not our EPIPE.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
    const settle = (then: () => void): void => {
      clearTimeout(timer)
      if (pid !== undefined) running.delete(pid)
      then()
    }
    child.on('error', (error) => settle(() => reject(notStarted(file, error))))
    child.on('close', (code) => settle(() => resolve({ code: code ?? -1, ...output })))
  })
}

/** Runs argv and throws a {@link LabError} with its last words unless it exits with 0. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const ended = await run(argv, options)
  if (ended.code === 0) return ended.stdout
  const words = (ended.stderr || ended.stdout).trim().split('\n').slice(-12).join('\n')
  const how = ended.code === -1 ? 'was ended (signal or time bound)' : `exited with ${ended.code}`
  throw new LabError(`${argv.join(' ')}: ${how}\n${words}`, 'Run the command by hand to see more.')
}

function notStarted(file: string, cause: Error): LabError {
  return new LabError(
    `${file}: ${cause.message}`,
    'lab/debian_packages.json lists the Debian packages that the lab needs.',
    { cause },
  )
}

/** Kills a process and its group, if they still run. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: it ended by itself in the meantime.
  }
}
