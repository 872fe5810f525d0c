import type { Note } from '../../src/agent/ports.ts'
import type { VirtualTime } from './virtual_time.ts'

/** One line of a story. `matters`: a short account has it too. */
interface Line {
  readonly atMs: number
  readonly who: string
  readonly what: string
  readonly matters: boolean
}

/** A pause of all writes that a person would notice. @unit milliseconds */
const GAP_MS = 2_000

/** What the agent does all day. */
const QUIET_GOALS: readonly string[] = ['stay', 'wait', 'settle']

/**
 * What happened, for a person: outages, decisions, what was written down and who acknowledged, in their
 * order. Told only when somebody listens: a run that fails is run again to hear it.
 */
export class Story {
  readonly #lines: Line[] = []
  readonly #time: VirtualTime
  readonly #told: boolean
  readonly #last = new Map<string, string>()
  #startMs = 0
  #acknowledgedAt = 0
  #acknowledgedBy = ''

  constructor(time: VirtualTime, told: boolean) {
    this.#time = time
    this.#told = told
  }

  /** From now on: what was told before is forgotten, and now is the time 0. */
  begin(): void {
    this.#lines.length = 0
    this.#startMs = this.#time.now
  }

  /** Every line, to the millisecond. */
  whole(): string {
    return this.#lines
      .map(
        ({ atMs, who, what }) =>
          `${(atMs / 1000).toFixed(3).padStart(9)}  ${who.padEnd(2)}  ${what}`,
      )
      .join('\n')
  }

  /** What matters, to the second: for transcripts that are compared. */
  short(): string {
    return this.#lines
      .filter(({ matters }) => matters)
      .map(
        ({ atMs, who, what }) =>
          `${String(Math.round(atMs / 1000)).padStart(4)}s  ${who.padEnd(2)}  ${what}`,
      )
      .join('\n')
  }

  tell(who: string, what: string, matters = false): void {
    if (this.#told) this.#lines.push({ atMs: this.#time.now - this.#startMs, who, what, matters })
  }

  /** An agent's note; a decision only when it is another than the last one. */
  note(host: string, entry: Note): void {
    if (!this.#told) return
    const text = noteText(entry)
    if (entry.kind === 'decision') {
      if (this.#last.get(host) === text) return
      this.#last.set(host, text)
    }
    this.tell(host, text, matters(entry))
  }

  acknowledged(host: string): void {
    if (!this.#told) return
    const { now } = this.#time
    const gapMs = now - this.#acknowledgedAt
    if (gapMs > GAP_MS) this.tell(host, `writes go on after ${Math.round(gapMs / 1000)} s`, true)
    else if (host !== this.#acknowledgedBy) this.tell(host, 'acknowledges')
    this.#acknowledgedAt = now
    this.#acknowledgedBy = host
  }
}

function matters(entry: Note): boolean {
  if (entry.kind === 'decision') return !QUIET_GOALS.includes(entry.goal)
  return (
    entry.kind === 'meta' ||
    entry.kind === 'proof' ||
    entry.kind === 'claim' ||
    entry.kind === 'power-off'
  )
}

function noteText(entry: Note): string {
  switch (entry.kind) {
    case 'decision':
      return `decides to ${entry.goal} (${entry.rule}): ${entry.why}`
    case 'meta':
      return `hostMeta: term ${entry.term}, branch ${entry.branch}, ${entry.mode}, ${entry.leader} leads`
    case 'proof':
      return entry.term > entry.voided
        ? `promotable in term ${entry.term}`
        : `not promotable, void up to term ${entry.voided}`
    case 'converge':
      return entry.outcome === 'done'
        ? `converged ${entry.tags.join(', ')}`
        : `converge ${entry.tags.join(', ')} ${entry.outcome}: ${entry.message ?? ''}`
    case 'claim':
      return `asks for the claim (${entry.row}): ${entry.mode}, term ${entry.term}, ${entry.holder}`
    case 'power-off':
      return entry.proven
        ? `has powered its peer off (${entry.row})`
        : `has no proof (${entry.row}): ${entry.words}`
    case 'newcomer':
      return `lets ${entry.name} in`
    case 'set-aside':
      return `keeps its table in ${entry.schema}`
    case 'loss':
      return `may miss ${entry.lagBytes ?? 'unknown'} bytes`
    case 'leave':
      return entry.for === undefined ? 'stays' : 'leaves'
    case 'salvage':
      return `salvage ${entry.name} ${entry.what}: ${entry.words}`
    case 'pause':
      return entry.paused ? 'is paused' : 'is resumed'
    case 'agent':
      return `its agent: ${entry.what}`
    case 'guard':
      return `the guard stopped kine at ${entry.stopped}`
    case 'room':
      return `its disk has room: ${entry.room}`
    case 'fault':
      return `fault: ${entry.what}: ${entry.message}`
  }
}
