import { randomUUID } from 'node:crypto'
import { homedir, hostname, userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import { dirname } from 'node:path'
import type { Output, World } from './world.ts'
import { laptopFiles } from './laptop_files.ts'
import { locateDistribution } from './distribution.ts'
import { terminalQuestions } from './questions.ts'
import { runCommand } from './run_command.ts'

/** Columns where nobody says how many there are. */
const DEFAULT_COLUMNS = 80

/** The real world. The only code of the command line that knows `process`. */
export function processWorld(entryUrl: string): World {
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    by: `${userName()}@${hostname()}`,
    now: () => Date.now(),
    newRunId: () => randomUUID(),
    files: laptopFiles,
    questions: terminalQuestions(process.stdin, process.stderr),
    exec: runCommand,
    open: async (request, listener) => {
      const { openRemoteSession } = await import('./remote_session.ts')
      return await openRemoteSession(request, listener)
    },
    onInterrupt(listener) {
      process.on('SIGINT', listener)
      process.on('SIGTERM', listener)
      return () => {
        process.off('SIGINT', listener)
        process.off('SIGTERM', listener)
      }
    },
    distribution: locateDistribution(dirname(fileURLToPath(entryUrl)), process.env),
  }
}

function outputOf(stream: NodeJS.WriteStream): Output {
  // `twonode … | head` closes the pipe: what is left to say has no reader, the run goes on.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? DEFAULT_COLUMNS
    },
  }
}

/** An account without a passwd entry (containers) still has a number. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'unknown')
  }
}
