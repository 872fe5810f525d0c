import { spawn, type ChildProcess } from 'node:child_process'
import { messageOf } from '../../core/errors.ts'
import { BASE_ENVIRONMENT } from '../../host/command.ts'
import type { Faults } from '../faults.ts'

export interface ScriptOptions {
  readonly path: string
  /** From the start of one run to the next. @unit milliseconds */
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly faults: Faults
}

/**
 * The site's own probe. It runs in a process group of its own, which is killed with it; what it prints
 * goes nowhere, for it may be much, or secret.
 */
export class Script {
  readonly #options: ScriptOptions
  readonly #timer: NodeJS.Timeout
  #child: ChildProcess | undefined
  #last: boolean | null = null

  constructor(options: ScriptOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#run(), options.intervalMs)
    this.#run()
  }

  /** How the last run ended; null: none has yet, or it can't be started. */
  get last(): boolean | null {
    return this.#last
  }

  stop(): void {
    clearInterval(this.#timer)
    if (this.#child !== undefined) killGroup(this.#child)
  }

  #run(): void {
    // One that not even SIGKILL ended waits for a disk: no second one beside it.
    if (this.#child !== undefined) return
    const { path, timeoutMs } = this.#options
    let isLate = false
    try {
      const child = spawn(path, [], {
        cwd: '/',
        env: BASE_ENVIRONMENT,
        detached: true,
        stdio: 'ignore',
      })
      this.#child = child
      const timer = setTimeout(() => {
        isLate = true
        this.#ended(false, `it did not end within ${timeoutMs / 1000} s and was killed`)
        killGroup(child)
      }, timeoutMs)
      child.once('error', (error) => {
        clearTimeout(timer)
        this.#child = undefined
        this.#ended(null, `it can not be started: ${error.message}`)
      })
      child.once('exit', (code, signal) => {
        clearTimeout(timer)
        this.#child = undefined
        // What it left behind is nobody's.
        killGroup(child)
        if (!isLate) this.#ended(code === 0, `it ended with ${signal ?? code}`)
      })
    } catch (error) {
      this.#ended(null, `it can not be started: ${messageOf(error)}`)
    }
  }

  #ended(result: boolean | null, words: string): void {
    const { faults, path } = this.#options
    this.#last = result
    if (result === true) faults.clear('script')
    else faults.tell('script', `${path}: ${words}`)
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: nobody of it is left, which is what was wanted.
  }
}
