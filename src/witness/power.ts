import { messageOf, TwonodeError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { FencingSettings, PowerCommands } from '../core/site.ts'
import type { Power, PowerAnswer, PowerBound, PowerCommand } from '../pair/power.ts'
import { runProgram } from './program.ts'

/** A controller's whole account of a machine is some kilobytes. @unit characters */
const MOST_OUTPUT = 64 * 1024

/** Of what it printed, for people. @unit characters */
const SHOWN = 80

export interface PowerOf {
  /** Those of the host that is to be off. */
  readonly commands: PowerCommands
  /** By the names that the settings use. */
  readonly secrets: ReadonlyMap<string, Secret>
}

interface BoundedPower extends Power {
  readonly commandMs: number
  readonly attemptMs: number
}

/**
 * What powers a host off, by the site's own commands. Nothing is asked of it yet.
 *
 * @throws TwonodeError E_SITE_FILE when what they are to be told is not there
 */
export function openPower(
  { says, input, timeoutMs }: FencingSettings,
  { commands, secrets }: PowerOf,
): BoundedPower {
  const secret = input === null ? null : secrets.get(input.$secret)
  if (secret === undefined)
    throw new TwonodeError('E_SITE_FILE', "the input of fencing is not among this host's secrets")
  const isOff = new RegExp(says, 'i')
  const run = async (command: PowerCommand, bound: PowerBound): Promise<PowerAnswer> => {
    const argv = commands[command]
    const bounds = { timeoutMs: bound.boundMs, mostOutput: MOST_OUTPUT, stop: bound.stop }
    const told = secret === null ? '' : Secret.reveal(secret)
    try {
      const said = (await runProgram(argv, { ...bounds, input: told })).trim()
      return { kind: 'ended', off: isOff.test(said), text: shown(said) }
    } catch (error) {
      return { kind: 'silent', why: `${argv[0] ?? ''}: ${messageOf(error)}` }
    }
  }
  return { run, commandMs: timeoutMs, attemptMs: 2 * timeoutMs }
}

/** Its first line, as far as it says much. */
function shown(said: string): string {
  const [line = ''] = said.split('\n')
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line
}
