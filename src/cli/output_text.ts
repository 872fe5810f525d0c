import type { StepEvent } from '../core/events.ts'
import type { Paint } from './paint.ts'
import { printable } from './paint.ts'
import { indented } from './trouble_text.ts'

/** More than this hides the hosts from each other; `--json` has all that was kept. @unit lines */
const OUTPUT_LINES = 200

/** What a command said, below its host; nothing for other modules. */
export function outputLines({ result }: StepEvent, paint: Paint): readonly string[] {
  const { stdout, stderr } = result ?? {}
  return [...linesOf(stdout), ...linesOf(stderr).map(paint.yellow)]
}

function linesOf(output: unknown): readonly string[] {
  if (typeof output !== 'string') return []
  const lines = indented(printable(output), 6)
  if (lines.length <= OUTPUT_LINES) return lines
  return [...lines.slice(0, OUTPUT_LINES), `      … ${lines.length - OUTPUT_LINES} lines more …`]
}
