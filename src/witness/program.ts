import { type ChildProcess, spawn } from 'node:child_process'

export interface ProgramBounds {
  /** What it gets on its standard input. */
  readonly input: string
  readonly timeoutMs: number
  /** @unit characters */
  readonly mostOutput: number
  /** Aborted: it is killed. */
  readonly stop?: AbortSignal
}

/** What it printed. @throws Error unless it ended in time, with 0, and printed little */
export async function runProgram(
  argv: readonly string[],
  { input, timeoutMs, mostOutput, stop }: ProgramBounds,
): Promise<string> {
  const [program = '', ...rest] = argv
  return await new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let output = ''
    const fail = (why: string) => {
      killGroup(child)
      reject(new Error(why))
    }
    const stopped = () => fail('it is not wanted any more')
    if (stop?.aborted === true) return stopped()
    stop?.addEventListener('abort', stopped)
    const timer = setTimeout(() => fail(`it did not end within ${timeoutMs} ms`), timeoutMs)
    const over = () => {
      clearTimeout(timer)
      stop?.removeEventListener('abort', stopped)
    }
    child.once('error', (error) => {
      over()
      reject(new Error(`it can not be started: ${error.message}`))
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.length > mostOutput) fail(`it says more than ${mostOutput} characters`)
    })
    // One that reads nothing closes its end.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.once('close', (code, signal) => {
      over()
      killGroup(child)
      if (code === 0) resolve(output)
      else reject(new Error(`it ended with ${signal ?? code}`))
    })
  })
}

/** With all that it has started. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody of it is left.
  }
}
