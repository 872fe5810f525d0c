import { basename } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { EXIT, type ExitCode, toTrouble } from '../core/errors.ts'
import type { DaemonSettings } from './daemon.ts'

/** Where this program's output goes; nothing else here prints. */
const out = { write: (text: string) => void process.stdout.write(text) }

process.exitCode = await run(process.argv.slice(2))

async function run([command, ...rest]: readonly string[]): Promise<ExitCode> {
  try {
    if (command === 'daemon') return await (await import('./daemon.ts')).runDaemon(daemonOf(rest))
    if (command === 'try') return await (await import('./daemon.ts')).tryDaemon(daemonOf(rest))
    if (command === 'join') return await (await import('./join_command.ts')).runJoin(rest, out)
    if (command === 'current')
      return await (await import('./current_command.ts')).runCurrent(process.stderr)
    if (command === 'salvage')
      return await (await import('./salvage/command.ts')).runSalvage(rest, out)
    const { runLocalCommand } = await import('./local_commands.ts')
    const over = new AbortController()
    // Only what is followed to its end has words for it.
    if (command === 'switchover') process.once('SIGINT', () => over.abort())
    return await runLocalCommand([command ?? '--help', ...rest], out, { over: over.signal, ask })
  } catch (error) {
    const { code, message, hint, exitCode, detail } = toTrouble(error)
    const more = code === 'E_BUG' || detail === undefined ? '' : `${detail}\n`
    process.stderr.write(`${code}: ${message}\n${more}${hint === '' ? '' : `  ${hint}\n`}`)
    return exitCode
  }
}

/** On a terminal only. */
async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

function daemonOf(words: readonly string[]): DaemonSettings {
  return { host: optionOf(words, '--host'), bundle: basename(import.meta.dirname) }
}

function optionOf(words: readonly string[], name: string): string {
  const value = words[words.indexOf(name) + 1]
  if (!words.includes(name) || value === undefined) {
    process.stderr.write(`twonode: daemon needs ${name}\n`)
    process.exit(EXIT.badInput)
  }
  return value
}
