import type {
  Counts,
  Event,
  HostSummaryEvent,
  StepEvent,
  StepStatus,
  SummaryEvent,
} from '../core/events.ts'
import type { Trouble } from '../core/errors.ts'
import type { Report, ReportOptions } from './report.ts'
import type { World } from './world.ts'
import { Findings } from './findings.ts'
import { outputLines } from './output_text.ts'
import { createPaint, type Paint, printable, wantsColour } from './paint.ts'
import { openStatusLines, type StatusLines } from './status_lines.ts'
import { indented, troubleText } from './trouble_text.ts'

/**
 * Without a terminal a long step says so again only this often, or logs fill with it.
 * @unit milliseconds
 */
const PLAIN_PROGRESS_EVERY_MS = 15_000

/** Steps that took less say nothing about time. @unit milliseconds */
const WORTH_TELLING_MS = 1_000

/** The reporter for people: plain lines, a status line a host on a terminal. */
export async function textReport(world: World, options: ReportOptions): Promise<Report> {
  const paint = createPaint(wantsColour(world.env, world.stdout.isTerminal))
  const status = await openStatusLines(world.stdout)
  return new TextReport(world, options, { paint, status })
}

class TextReport implements Report {
  readonly #world: World
  readonly #options: ReportOptions
  readonly #paint: Paint
  readonly #status: StatusLines
  readonly #lastPlain = new Map<string, number>()
  /** Who needs it, by what is to be done. */
  readonly #advice = new Map<string, string[]>()
  readonly #findings = new Findings()

  constructor(world: World, options: ReportOptions, parts: { paint: Paint; status: StatusLines }) {
    this.#world = world
    this.#options = options
    this.#paint = parts.paint
    this.#status = parts.status
  }

  emit(event: Event): void {
    const known = this.#findings.heard(event) && this.#options.purpose === 'verify'
    switch (event.event) {
      case 'hello':
        return this.#status.set(event.host, `${event.host}  connected`)
      case 'step':
        return known ? this.#stepAsBefore(event) : this.#step(event)
      case 'progress':
        return this.#progress(event)
      case 'note':
        return this.#note(event)
      case 'barrier':
        return this.#status.set(
          event.host,
          `${event.host}  waits for its peer before: ${event.play}`,
        )
      case 'trouble':
        return this.#trouble(event.host, event.trouble)
      case 'host-summary':
        return this.#hostSummary(event)
      case 'summary':
        return this.#summary(event)
      default:
        throw new Error(`unhandled event: ${(event satisfies never as Event).event}`)
    }
  }

  end(): void {
    this.#status.close()
    if (this.#advice.size === 0) return
    const lines = [...this.#advice].flatMap(([hint, who]) => [
      `  ${hint}`,
      this.#paint.dim(`    ${namedUpTo(who)}`),
    ])
    this.#world.stdout.write(`\n${this.#paint.bold('What to do next')}\n${lines.join('\n')}\n`)
  }

  get #inFull(): boolean {
    return this.#options.diff || this.#options.verbose
  }

  #step(event: StepEvent): void {
    this.#status.remove(event.host)
    const quiet = event.status === 'ok' || event.status === 'skipped'
    const notes = event.notes ?? []
    if (quiet && !this.#options.verbose && notes.length === 0) return
    const lines = [stepLine(event, this.#paint)]
    for (const change of event.changes ?? []) {
      lines.push(`      ${printable(this.#inFull ? change.summary : shortened(change.summary))}`)
      if (this.#options.diff && change.diff !== undefined)
        lines.push(...diffLines(change.diff, this.#paint))
    }
    if (this.#options.purpose === 'run') lines.push(...outputLines(event, this.#paint))
    if (event.reason !== undefined && event.status !== 'skipped')
      lines.push(`      ${this.#paint.dim(printable(event.reason))}`)
    lines.push(...notes.map((note) => `      ${this.#paint.yellow('note')} ${printable(note)}`))
    if (event.trouble !== undefined) lines.push(...this.#stepTrouble(event, event.trouble))
    this.#print(lines.join('\n'))
  }

  /** One cause fails many checks: nothing of it is worth telling twice. */
  #stepAsBefore(event: StepEvent): void {
    this.#status.remove(event.host)
    this.#print(`${stepLine(event, this.#paint)}${this.#paint.dim(' (as before)')}`)
  }

  #stepTrouble(event: StepEvent, trouble: Trouble): readonly string[] {
    this.#advise(trouble.hint, `${event.host}: ${event.task}`)
    const { hint: _, ...rest } = trouble
    const text = troubleText({ ...rest, hint: '' }, this.#paint, this.#world.cwd)
    return indented(text, 6)
  }

  #progress(event: Extract<Event, { event: 'progress' }>): void {
    const seconds = Math.round(event.elapsedMs / 1000)
    // The time stands first: that it goes on is what must survive the end of a narrow line.
    const [what = ''] = printable(event.message).split('\n')
    const text = truncated(`${event.host}  ${seconds} s  ${printable(event.task)}: ${what}`)
    if (this.#status.live) return this.#status.set(event.host, text)
    const key = `${event.host}\0${event.task}`
    const last = this.#lastPlain.get(key) ?? 0
    if (event.elapsedMs - last < PLAIN_PROGRESS_EVERY_MS) return
    this.#lastPlain.set(key, event.elapsedMs)
    this.#print(this.#paint.dim(text))
  }

  #note({ host, level, message }: Extract<Event, { event: 'note' }>): void {
    const word = level === 'warning' ? this.#paint.yellow('warning') : this.#paint.cyan('note')
    this.#print(`${host === undefined ? '' : `${host}  `}${word} ${printable(message)}`)
  }

  #trouble(host: string | undefined, trouble: Trouble): void {
    this.#advise(trouble.hint, host ?? 'the run')
    const text = troubleText({ ...trouble, hint: '' }, this.#paint, this.#world.cwd).trimEnd()
    this.#print(host === undefined ? text : `${host}  ${text}`)
  }

  #hostSummary({ host }: HostSummaryEvent): void {
    this.#status.remove(host)
  }

  #summary(event: SummaryEvent): void {
    const verdict = this.#options.purpose === 'verify' ? this.#findings.verdict(event) : undefined
    this.#print(summaryLine(event, this.#paint, verdict))
  }

  #advise(hint: string, who: string): void {
    const text = printable(hint)
    this.#advice.set(text, [...(this.#advice.get(text) ?? []), printable(who)])
  }

  #print(text: string): void {
    this.#status.above(`${text}\n`)
  }
}

/** So much of a statement says what it does. @unit characters */
const STATEMENT_CHARACTERS = 100

/** A first converge runs pages of SQL: whole with --diff or --verbose, and in the events. */
function shortened(summary: string): string {
  if (!summary.startsWith('sql ') || summary.length <= STATEMENT_CHARACTERS) return summary
  return `${summary.slice(0, STATEMENT_CHARACTERS - 2).trimEnd()} …`
}

/** A line of progress is no longer than a small terminal is wide. @unit characters */
const PROGRESS_CHARACTERS = 79

function truncated(text: string): string {
  return text.length <= PROGRESS_CHARACTERS ? text : `${text.slice(0, PROGRESS_CHARACTERS - 1)}…`
}

/** The first few of those whom an advice is for. */
const NAMED_AT_MOST = 4

function namedUpTo(who: readonly string[]): string {
  const more = who.length - NAMED_AT_MOST
  return `${who.slice(0, NAMED_AT_MOST).join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}

const STATUS_COLOUR: Readonly<Record<StepStatus, keyof Paint>> = {
  ok: 'green',
  changed: 'yellow',
  'would-change': 'yellow',
  unknown: 'magenta',
  skipped: 'dim',
  failed: 'red',
}

function stepLine(event: StepEvent, paint: Paint): string {
  const word = paint[STATUS_COLOUR[event.status]](event.status.padEnd(12))
  const item = event.item === undefined ? '' : paint.dim(` [${itemText(event)}]`)
  const handler = event.handler === undefined ? '' : paint.dim(` (handler, ${event.handler})`)
  const took =
    event.durationMs < WORTH_TELLING_MS
      ? ''
      : paint.dim(` ${(event.durationMs / 1000).toFixed(1)} s`)
  return `${event.host}  ${word} ${printable(event.task)}${item}${handler}${took}`
}

function itemText({ item }: StepEvent): string {
  return printable(typeof item === 'string' ? item : JSON.stringify(item))
}

function diffLines(diff: string, paint: Paint): readonly string[] {
  return indented(printable(diff), 8).map((line) => {
    const text = line.slice(8)
    if (text.startsWith('+++') || text.startsWith('---')) return paint.bold(line)
    if (text.startsWith('@@')) return paint.cyan(line)
    if (text.startsWith('+')) return paint.green(line)
    if (text.startsWith('-')) return paint.red(line)
    return line
  })
}

function summaryLine(event: SummaryEvent, paint: Paint, verdict: string | undefined): string {
  const seconds = (event.durationMs / 1000).toFixed(1)
  const hosts = Object.entries(event.hosts).map(
    ([host, counts]) => `${host}: ${countsText(counts, event, verdict !== undefined)}`,
  )
  const good = event.exitCode === 0
  const colour = good ? paint.green : paint.red
  const line = `${colour(`site ${event.site}`)}  ${hosts.join('; ')} (${seconds} s)`
  return verdict === undefined ? line : `${line}  ${colour(verdict)}`
}

function countsText(counts: Counts, { check }: SummaryEvent, judged: boolean): string {
  const parts = [
    `${counts.ok} ok`,
    judged && counts.changed === 0 ? '' : `${counts.changed} ${check ? 'would change' : 'changed'}`,
    counts.unknown > 0 ? `${counts.unknown} unknown` : '',
    counts.failed > 0 ? `${counts.failed} failed` : '',
  ]
  return parts.filter((part) => part !== '').join(', ')
}
