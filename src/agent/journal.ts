import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../core/json.ts'
import { redactTexts } from '../core/secret.ts'
import { readText } from '../host/files.ts'
import type { Clock, Note } from './ports.ts'

/** Version of the lines; a reader takes its own and the one before. */
export const DECISIONS_FORMAT = 1

/** A new file is begun beyond this. @unit bytes */
const FILE_BYTES = 1024 * 1024

/** Files that are kept: at most 8 MB in all. */
const FILES_KEPT = 8

/** One line: facts are few, messages may quote anything. @unit characters */
const LINE_CHARACTERS = 16 * 1024

/** Lines that wait for a slow disk; beyond it they are counted and dropped. */
const LINES_WAITING = 500

/** A decision that repeats is written again after so long, with how often it was made. @unit milliseconds */
const REPEAT_MS = 60_000

const NAME = /^decisions-(\d{8})\.ndjson$/

/** Fields that are ours, in which no secret can be. */
const OWN_WORDS: ReadonlySet<string> = new Set(['boot', 'at', 'host', 'kind', 'rule', 'goal'])

/** A line of the journal, with when and where it was written. */
export interface JournalLine {
  readonly format: number
  readonly host: string
  /** The boot in which it was written. */
  readonly boot: string
  /** CLOCK_BOOTTIME. @unit milliseconds */
  readonly upMs: number
  /** Wall time, for people. */
  readonly at: string
  readonly kind: string
  readonly [field: string]: unknown
}

export interface DecisionJournalOptions {
  readonly folder: string
  readonly host: string
  readonly bootId: string
  readonly clock: Clock
  /** Takes known secrets out of a text. */
  readonly redact: (text: string) => string
}

/** Everything that the agent decided, changed or met, in a few bounded files of one line each. */
export interface DecisionJournal {
  /** Never waits and never fails: an agent whose disk is full goes on deciding. */
  readonly note: (entry: Note) => void
  /** Resolves when what was noted so far is on the disk, or could not be put there. */
  readonly flush: () => Promise<void>
}

export function openDecisionJournal(options: DecisionJournalOptions): DecisionJournal {
  const writer = new Writer(options)
  return { note: writer.note, flush: writer.flush }
}

interface Repeated {
  readonly key: string
  readonly entry: Note
  readonly since: number
  times: number
}

class Writer {
  readonly #options: DecisionJournalOptions
  #waiting: string[] = []
  #dropped = 0
  #last: Repeated | undefined
  #file: { readonly handle: FileHandle; bytes: number } | undefined
  #writing: Promise<void> | undefined

  constructor(options: DecisionJournalOptions) {
    this.#options = options
  }

  readonly note = (entry: Note): void => {
    const now = this.#options.clock.now()
    if (entry.kind !== 'decision') return this.#line(entry)
    const key = JSON.stringify(entry)
    const last = this.#last
    if (last?.key === key && now - last.since < REPEAT_MS) {
      last.times += 1
      return
    }
    this.#repeats()
    this.#last = { key, entry, since: now, times: 0 }
    if (last?.key !== key) this.#line(entry)
  }

  readonly flush = async (): Promise<void> => {
    this.#repeats()
    while (this.#writing !== undefined) await this.#writing
    await this.#file?.handle.close()
    this.#file = undefined
  }

  /** The end of a time in which nothing changed is part of the account. */
  #repeats(): void {
    const last = this.#last
    if (last !== undefined && last.times > 0) this.#line({ ...last.entry, repeated: last.times })
    if (last !== undefined) last.times = 0
  }

  #from() {
    const { clock, host, bootId } = this.#options
    const [upMs, at] = [clock.now(), clock.wallTime()]
    return { format: DECISIONS_FORMAT, host, boot: bootId, upMs, at }
  }

  #line(entry: Note & { readonly repeated?: number }): void {
    if (this.#waiting.length >= LINES_WAITING) {
      this.#dropped += 1
      return
    }
    const { redact } = this.#options
    const from = this.#from()
    const line = JSON.stringify(redactTexts({ ...from, ...entry }, redact, OWN_WORDS))
    const { kind } = entry
    const isShort = line.length <= LINE_CHARACTERS
    this.#waiting.push(isShort ? line : JSON.stringify({ ...from, kind, cut: line.length }))
    this.#writing ??= this.#write()
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting
      const dropped = this.#dropped
      this.#waiting = []
      this.#dropped = 0
      const gap = { ...this.#from(), kind: 'dropped', lines: dropped }
      const text = [...lines, ...(dropped > 0 ? [JSON.stringify(gap)] : [])].join('\n')
      try {
        await this.#append(`${text}\n`)
      } catch {
        // A full disk is a fact of its own, which the probes see; these lines are lost and counted.
        this.#dropped += dropped + lines.length
        await this.#file?.handle.close().catch(() => {})
        this.#file = undefined
      }
    }
    this.#writing = undefined
  }

  async #append(text: string): Promise<void> {
    if (this.#file !== undefined && this.#file.bytes >= FILE_BYTES) {
      await this.#file.handle.close()
      this.#file = undefined
    }
    this.#file ??= await openNewest(this.#options.folder)
    await this.#file.handle.appendFile(text)
    this.#file.bytes += Buffer.byteLength(text)
    await this.#file.handle.datasync()
  }
}

/** The newest file while it has room, or a new one; the oldest are removed. */
async function openNewest(folder: string): Promise<{ handle: FileHandle; bytes: number }> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = await filesIn(folder)
  const newest = names.at(-1)
  const bytes = newest === undefined ? 0 : (await stat(join(folder, newest))).size
  const isFull = newest === undefined || bytes >= FILE_BYTES
  const name = isFull ? `decisions-${String(numberOf(newest) + 1).padStart(8, '0')}.ndjson` : newest
  const handle = await open(join(folder, name), 'a', 0o600)
  if (isFull)
    for (const old of names.slice(0, Math.max(0, names.length - FILES_KEPT + 1)))
      await rm(join(folder, old), { force: true })
  // A power cut may have torn the last line: the next one starts on its own.
  if (!isFull && bytes > 0) await handle.appendFile('\n')
  return { handle, bytes: isFull ? 0 : bytes }
}

/** The newest lines, oldest first; what a power cut tore is left out. */
export async function readDecisions(folder: string, most: number): Promise<readonly JournalLine[]> {
  let lines: JournalLine[] = []
  for (const name of (await filesIn(folder)).toReversed()) {
    if (lines.length >= most) break
    const text = (await readText(join(folder, name))) ?? ''
    // Who asks again and again wants the last lines, and a file has thousands. One of them may be torn.
    lines = [
      ...text
        .split('\n')
        .slice(-most - 2)
        .flatMap(parseLine),
      ...lines,
    ]
  }
  return lines.slice(-most)
}

function parseLine(line: string): readonly JournalLine[] {
  try {
    const parsed: unknown = JSON.parse(line)
    if (!isObject(parsed) || parsed['format'] !== DECISIONS_FORMAT) return []
    return typeof parsed['upMs'] === 'number' ? [parsed as unknown as JournalLine] : []
  } catch {
    return []
  }
}

/** Oldest first: counted, not timed. */
async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder)
    return names.filter((name) => NAME.test(name)).toSorted((a, b) => numberOf(a) - numberOf(b))
  } catch {
    return []
  }
}

function numberOf(name: string | undefined): number {
  return Number(NAME.exec(name ?? '')?.[1] ?? 0)
}
