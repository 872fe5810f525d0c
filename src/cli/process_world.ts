import { randomUUID } from 'node:crypto'
import { homedir, hostname, userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import { dirname } from 'node:path'
import { cacheDirectory } from '../remote/cache_directory.ts'
import type { OpenSession } from './runner_session.ts'
import type { Output, World } from './world.ts'
import { createLaptopFiles } from './laptop_files.ts'
import { locateDistribution } from './distribution.ts'
import { isTerminal, terminalQuestions } from './questions.ts'
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
    files: createLaptopFiles(cacheDirectory(process.env)),
    questions: terminalQuestions(process.stdin, process.stderr),
    exec: runCommand,
    release: async (wanted) => {
      const { releaseFile } = await import('../remote/release.ts')
      const directory = cacheDirectory(process.env)
      return await releaseFile(wanted, { directory, onProgress: tell })
    },
    open: lazyOpener(),
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

/** ssh is a third of the program: only commands that connect load it. */
function lazyOpener(): OpenSession {
  let opener: Promise<OpenSession> | undefined
  return async (request, listener) => {
    opener ??= import('./remote_session.ts').then(({ remoteOpener }) =>
      remoteOpener({ cwd: process.cwd(), env: process.env }),
    )
    return await (
      await opener
    )(request, listener)
  }
}

function tell(message: string): void {
  process.stderr.write(`${message}\n`)
}

function outputOf(stream: NodeJS.WriteStream): Output {
  // `twonode … | head` closes the pipe: what is left to say has no reader, the run goes on.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  return {
    write: (text) => void stream.write(text),
    isTerminal: isTerminal(stream),
    get columns() {
      // A terminal that does not know its width says 0.
      return stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS
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
