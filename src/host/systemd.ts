import { setTimeout as delay } from 'node:timers/promises'
import { TwonodeError } from '../core/errors.ts'
import type { ExecResult, UnitState } from '../core/host.ts'

const PROPERTIES = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'NeedDaemonReload',
  'MainPID',
  'ActiveEnterTimestampMonotonic',
  'Job',
]

/** A unit's own name; no pattern, which would be answered by any number of units. */
const NAME = /^[\w:.\\@-]+$/

/** One command for all units. @source https://www.freedesktop.org/software/systemd/man/systemctl.html */
export function unitQuery(names: readonly string[]): readonly string[] {
  return ['systemctl', 'show', `--property=${PROPERTIES.join(',')}`, '--', ...names]
}

/**
 * The name under which systemd answers. It knows instances only: a template is judged by one that
 * nobody uses.
 */
export function askableName(name: string): string {
  if (!NAME.test(name)) throw new TwonodeError('E_FAILED', `${name} is no name of a unit`)
  return name.replace(/@\./, '@twonode.')
}

/** systemd closes its connections when it reads its units anew, and takes new ones when it has. @unit milliseconds */
const RELOADING_MS = 500

/** A question that a reload cut short is asked once more, and no further. */
export async function askedAgain(
  ask: () => Promise<ExecResult>,
  afterMs = RELOADING_MS,
): Promise<ExecResult> {
  const answer = await ask()
  if (answer.code === 0 || !CUT_SHORT.test(answer.stderr)) return answer
  await delay(afterMs)
  return await ask()
}

const CUT_SHORT =
  /Connection reset by peer|Transport endpoint is not connected|Connection terminated/

/** States by the names that were asked for: systemctl answers in their order, one block each. */
export function parseUnits(
  names: readonly string[],
  stdout: string,
): ReadonlyMap<string, UnitState> {
  const blocks = stdout.trim().split(/\n\n+/)
  if (blocks.length !== names.length)
    throw new TwonodeError(
      'E_COMMAND_FAILED',
      `systemctl show answered for ${blocks.length} of ${names.length} units`,
      { detail: stdout },
    )
  return new Map(names.map((name, index) => [name, parseUnit(blocks[index] ?? '')]))
}

function parseUnit(block: string): UnitState {
  const properties = new Map(
    block.split('\n').map((line) => {
      const equals = line.indexOf('=')
      return [line.slice(0, equals), line.slice(equals + 1)]
    }),
  )
  const value = (name: string) => properties.get(name) ?? ''
  const file = value('UnitFileState')
  return {
    load: loadOf(value('LoadState')),
    active: activeOf(value('ActiveState')),
    sub: value('SubState'),
    enabled: isEnabled(file, value('Id')),
    isStatic: ['static', 'generated', 'transient'].includes(file),
    needsReload: value('NeedDaemonReload') === 'yes',
    mainPid: Number(value('MainPID')),
    hasJob: Number(value('Job')) > 0,
    activeSinceUs: Number(value('ActiveEnterTimestampMonotonic')),
  }
}

/**
 * A generator enables instances in /run on each boot: Debian's PostgreSQL clusters are enabled so. For
 * any other unit the same state is gone with the next boot.
 */
function isEnabled(file: string, id: string): boolean {
  return file === 'enabled' || (file === 'enabled-runtime' && id.includes('@'))
}

function loadOf(text: string): UnitState['load'] {
  switch (text) {
    case 'loaded':
    case 'not-found':
    case 'masked':
    case 'bad-setting':
      return text
    case 'merged':
    case 'stub':
      return 'loaded'
    default:
      return 'error'
  }
}

function activeOf(text: string): UnitState['active'] {
  switch (text) {
    case 'active':
    case 'inactive':
    case 'failed':
    case 'activating':
    case 'deactivating':
    case 'reloading':
      return text
    case 'refreshing':
      return 'reloading'
    default:
      return 'failed'
  }
}
