import type { Change, Exec } from '../../src/core/change.ts'
import { durationMs } from './duration.ts'
import type { UnitArgs, UnitObservation } from '../systemd_unit.ts'

/** Everything that is no start or stop takes milliseconds. @unit milliseconds */
const QUICK_MS = 30_000

/** Lines of a unit's journal that a failure shows. */
const JOURNAL_LINES = 20

/** What systemd is told after the files are in place: reload, enable, start, mask. */
export function unitActions(
  observed: UnitObservation,
  args: UnitArgs,
  filesChange: boolean,
): readonly Change[] {
  const masking =
    args.masked === true && observed.unit.load !== 'masked' ? [quick('mask', args.name)] : []
  return [
    ...(filesChange || isStale(observed) ? [quick('daemon-reload')] : []),
    ...enabling(observed, args),
    ...running(observed, args),
    ...masking,
  ]
}

/** A run was cut between the file and the reload: systemd has the old file, or knows of none. */
function isStale({ unit, file }: UnitObservation): boolean {
  return unit.needsReload || (unit.load === 'not-found' && file.content !== undefined)
}

function enabling({ unit, file }: UnitObservation, args: UnitArgs): readonly Change[] {
  const { name, enabled, content } = args
  if (enabled === undefined || (unit.load === 'masked' && args.masked === true)) return []
  if (!enabled) return unit.enabled ? [quick('disable', name)] : []
  if (!unit.enabled) return [quick('enable', name)]
  // Enabled by the old [Install] section: the links must follow the new one.
  const moved =
    content !== undefined &&
    file.content !== undefined &&
    installSection(content) !== installSection(file.content)
  return moved ? [quick('reenable', name)] : []
}

function running({ unit }: UnitObservation, args: UnitArgs): readonly Change[] {
  const { name, state, if_running, wait } = args
  const active = unit.active === 'active' || unit.active === 'reloading'
  const rests = unit.active === 'inactive' || unit.active === 'failed'
  // Told to start, and not begun: systemd still waits for other units, or has not come to it.
  const willStart = rests && unit.hasJob
  const starts = unit.active === 'activating' || willStart
  // The start limit counts failures: without this a start could be refused at once.
  const reset = unit.active === 'failed' ? [quick('reset-failed', name)] : []
  switch (state) {
    case 'none':
      return []
    case 'started':
      if (active || (!wait && starts)) return []
      return [...reset, wait ? action('start', args) : quick('start', '--no-block', name)]
    case 'stopped':
      return rests && !willStart ? [] : [action('stop', args)]
    case 'restarted':
      if (if_running) return unit.load === 'not-found' ? [] : [action('try-restart', args)]
      return [...reset, action('restart', args)]
    case 'reloaded':
      if (active) return [action('reload', args)]
      // It may have read the old files already, and takes no reload before it runs: a start waits for it.
      if (starts) return [...reset, action('start', args), action('reload', args)]
      return if_running ? [] : [...reset, action('start', args)]
    default:
      throw new Error(`unhandled state: ${String(state satisfies never)}`)
  }
}

function quick(...words: readonly string[]): Exec {
  return { kind: 'exec', argv: ['systemctl', ...words], timeoutMs: QUICK_MS }
}

function action(verb: string, { name, timeout }: UnitArgs): Exec {
  return {
    kind: 'exec',
    argv: ['systemctl', verb, name],
    // systemctl itself only says that it failed; the unit's own words are in the journal.
    diagnose: [
      'journalctl',
      '--no-pager',
      '--output=cat',
      `--lines=${JOURNAL_LINES}`,
      '--unit',
      name,
    ],
    timeoutMs: durationMs(timeout),
  }
}

function installSection(text: string): string {
  const [, section = ''] = /^\[Install\]$([^[]*)/m.exec(text) ?? []
  return section.trim()
}
