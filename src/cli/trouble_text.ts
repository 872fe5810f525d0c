import { isAbsolute, relative } from 'node:path'
import { Refusals, toTrouble, type ExitCode, type Trouble } from '../core/errors.ts'
import { formatPlace, type Place } from '../core/place.ts'
import { type Paint, printable } from './paint.ts'
import { worstExit } from './exit_code.ts'

/** A failing command may print megabytes; a person reads its end. @unit lines */
const DETAIL_LINES = 40

/** Everything that a thrown value says, one trouble a problem. */
export function troublesOf(error: unknown): readonly Trouble[] {
  return error instanceof Refusals ? error.all.map((e) => e.toTrouble()) : [toTrouble(error)]
}

export function exitCodeOf(troubles: readonly Trouble[]): ExitCode {
  return worstExit(troubles.map((t) => t.exitCode))
}

/**
 * `error E_CODE file:line:col: message`, the hint below it, then the detail. The place is shown the
 * way the file was named: relative to where the user stands.
 */
export function troubleText(trouble: Trouble, paint: Paint, cwd: string): string {
  const { code, message, hint, place, detail } = trouble
  const at = place === undefined ? '' : ` ${formatPlace(seenFrom(cwd, place))}`
  const lines = [`${paint.red('error')} ${paint.bold(code)}${at}: ${printable(message)}`]
  lines.push(...indented(hint, 2).map(paint.dim))
  if (detail !== undefined) lines.push(...indented(lastLines(printable(detail)), 4))
  return `${lines.join('\n')}\n`
}

/** Paths inside the folder where the user stands are shown relative to it. */
export function seenFrom(cwd: string, place: Place): Place {
  if (!isAbsolute(place.file)) return place
  const short = relative(cwd, place.file)
  return short.startsWith('..') || short === '' ? place : { ...place, file: short }
}

export function indented(text: string, spaces: number): readonly string[] {
  const trimmed = text.trimEnd()
  if (trimmed === '') return []
  return trimmed.split('\n').map((line) => `${' '.repeat(spaces)}${line}`)
}

function lastLines(text: string): string {
  const lines = text.trimEnd().split('\n')
  if (lines.length <= DETAIL_LINES) return lines.join('\n')
  const left = lines.length - DETAIL_LINES
  return [`… ${left} lines before …`, ...lines.slice(-DETAIL_LINES)].join('\n')
}
