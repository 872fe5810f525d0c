import { basename } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { ERRORS, EXIT, type ExitCode, toTrouble } from '../core/errors.ts'
import type { DaemonSettings } from './daemon.ts'
import type { TypedCommand } from './host_program.ts'

/** Where this program's output goes; nothing else here prints. */
const out = { write: (text: string) => void process.stdout.write(text) }

process.exitCode = await run(process.argv.slice(2))

async function run([command, ...rest]: readonly string[]): Promise<ExitCode> {
  try {
    if (command === 'daemon') return await (await import('./daemon.ts')).runDaemon(daemonOf(rest))
    if (command === 'try') return await (await import('./daemon.ts')).tryDaemon(daemonOf(rest))
    if (command === 'join' && rest.includes('--run'))
      return await (await import('./join_command.ts')).carryOutJoin(out)
    const argv = command === undefined ? [] : [command, ...rest]
    const { readHostCommand } = await import('./host_program.ts')
    const typed = readHostCommand(argv, process.stdout.columns)
    if (typed.kind === 'command') return await runTyped(typed)
    out.write(typed.text)
    return EXIT.done
  } catch (error) {
    const { code, message, hint: said, exitCode, detail } = toTrouble(error)
    // Of this command line there is more to say than of any.
    const isUnhelpful = code === 'E_USAGE' && said === ERRORS.E_USAGE.hint
    const hint = isUnhelpful ? `See \`twonode ${command ?? ''} --help\`.` : said
    const more = code === 'E_BUG' || detail === undefined ? '' : `${detail}\n`
    process.stderr.write(`${code}: ${message}\n${more}${hint === '' ? '' : `  ${hint}\n`}`)
    return exitCode
  }
}

async function runTyped(typed: TypedCommand): Promise<ExitCode> {
  const { name } = typed
  if (name === 'join') return await (await import('./join_command.ts')).runJoin(typed.options, out)
  if (name === 'install')
    return await (await import('./install_command.ts')).runInstall(typed.options, out)
  if (name === 'current')
    return await (await import('./current_command.ts')).runCurrent(process.stderr)
  if (name === 'salvage') return await (await import('./salvage/command.ts')).runSalvage(typed, out)
  const { runLocalCommand } = await import('./local_commands.ts')
  const over = new AbortController()
  // Only what is followed to its end has words for it.
  if (name === 'switchover') process.once('SIGINT', () => over.abort())
  return await runLocalCommand(typed, out, { over: over.signal, ask })
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
