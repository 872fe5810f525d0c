import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Change, describeChange } from '../core/change.ts'
import { EXIT, type ExitCode, TwonodeError, messageOf } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import { redactTexts } from '../core/secret.ts'
import { makePrivateFolder, replaceDurably, syncFolder } from './durable_file.ts'
import { foldersOf } from './leftover_files.ts'

/** Version of the journal's lines; a run reads its own and the one before. */
const JOURNAL_FORMAT = 1

/** Runs that are kept. */
const RUNS_KEPT = 20

/** What all kept runs may take together. @unit bytes */
const BYTES_KEPT = 5 * 1024 * 1024

/** A handler that was notified and has not run since. */
export interface PendingHandler {
  readonly name: string
  /** The play at whose end it was to run. */
  readonly play: string
  readonly runId: string
}

/** What runs before this one left undone. */
export interface LeftBehind {
  readonly handlers: readonly PendingHandler[]
  /** Folders in which a cut run may have left a temporary file of ours. */
  readonly folders: readonly string[]
}

/**
 * What must survive a power failure: what was about to be done, and which handlers are owed. Nothing
 * is written before the first intent, so that a converge with nothing to do leaves no trace.
 */
export interface Journal {
  leftBehind(): LeftBehind
  /** Durable when it returns: this change may be half done from now on. */
  intend(step: string, change: Change): void
  done(step: string): void
  /** Durable when it returns: the handlers are owed. Returns those that were not owed before. */
  owe(handlers: readonly string[], play: string): readonly string[]
  /** They ran, or what notified them changed nothing. */
  settle(handlers: readonly string[]): void
  /** Handlers owed by this run and those before it. */
  owed(): readonly PendingHandler[]
  end(exitCode: ExitCode): void
}

export interface JournalSettings {
  readonly folder: string
  readonly runId: string
  readonly by: string
  readonly version: string
  /** Takes known secrets out of a line. */
  readonly redact: (text: string) => string
  /** For the lines' times. */
  readonly now: () => Date
}

/** The journal in a folder. Opening it reads and writes nothing. */
export function openJournal(settings: JournalSettings): Journal {
  return new FileJournal(settings)
}

/** Names the handlers that are owed. */
export const HANDLERS_FILE = 'handlers.json'

const RUN_FILE = /^\d+\..*\.ndjson$/

/** Fields by which a journal is read again. */
const OWN_WORDS: ReadonlySet<string> = new Set(['at', 'kind', 'runId'])

class FileJournal implements Journal {
  readonly #settings: JournalSettings
  /** Named when it is made. */
  #file: string | undefined
  #fd: number | undefined
  #owed: PendingHandler[] | undefined
  #hasLeftovers = false

  constructor(settings: JournalSettings) {
    this.#settings = settings
  }

  leftBehind(): LeftBehind {
    const folders = this.#unfinishedFolders()
    this.#hasLeftovers = folders.length > 0
    return { handlers: this.owed(), folders }
  }

  owed(): readonly PendingHandler[] {
    this.#owed ??= readHandlers(join(this.#settings.folder, HANDLERS_FILE))
    return this.#owed
  }

  intend(step: string, change: Change): void {
    this.#inWords(() => {
      const words = describeChange(change)
      this.#line({ kind: 'intent', step, change: words, folders: foldersOf(change) })
      fsyncSync(this.#open())
    })
  }

  done(step: string): void {
    // Not synced: a done that is lost makes the next run look for temporary files once too often.
    this.#inWords(() => this.#line({ kind: 'done', step }))
  }

  owe(handlers: readonly string[], play: string): readonly string[] {
    const owed = this.owed()
    const added = handlers.filter((name) => !owed.some((other) => other.name === name))
    const { runId } = this.#settings
    if (added.length > 0) this.#keep([...owed, ...added.map((name) => ({ name, play, runId }))])
    return added
  }

  settle(handlers: readonly string[]): void {
    const left = this.owed().filter(({ name }) => !handlers.includes(name))
    if (left.length < this.owed().length) this.#keep(left)
  }

  end(exitCode: ExitCode): void {
    // Without a word from this run, the next one would look for the same leftovers again.
    if (this.#fd === undefined && !this.#hasLeftovers) return
    try {
      this.#line({ kind: 'end', exitCode })
      fsyncSync(this.#open())
      this.#rotate()
    } catch {
      // A full disk has been told of already; the next run takes this one for a cut one, and is right.
    } finally {
      this.#close()
    }
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** No run goes on without its journal: what it did could not be finished after a cut. */
  #inWords(act: () => void): void {
    try {
      act()
    } catch (cause) {
      const why = messageOf(cause)
      const where = this.#settings.folder
      throw new TwonodeError('E_FILESYSTEM', `the journal in ${where} can not be written: ${why}`, {
        cause,
      })
    }
  }

  #keep(handlers: PendingHandler[]): void {
    const text = `${JSON.stringify({ format: JOURNAL_FORMAT, handlers })}\n`
    this.#inWords(() => {
      this.#open()
      replaceDurably(join(this.#settings.folder, HANDLERS_FILE), text)
      this.#line({ kind: 'handlers', owed: handlers.map(({ name }) => name) })
    })
    this.#owed = handlers
  }

  #line(record: Readonly<Record<string, unknown>>): void {
    const at = this.#settings.now().toISOString()
    const quiet = redactTexts({ at, ...record }, this.#settings.redact, OWN_WORDS)
    writeSync(this.#open(), `${JSON.stringify(quiet)}\n`)
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd
    const { folder, runId, by, version } = this.#settings
    makePrivateFolder(folder)
    this.#file = fileName(numberOf(this.#runs().at(-1)) + 1, runId)
    this.#fd = openSync(join(folder, this.#file), 'a', 0o600)
    syncFolder(folder)
    this.#line({ kind: 'run', format: JOURNAL_FORMAT, runId, by, version })
    return this.#fd
  }

  #unfinishedFolders(): readonly string[] {
    const folders = new Set<string>()
    for (const name of this.#runs().toReversed()) {
      const records = readLines(join(this.#settings.folder, name))
      // A run that ended well has cleaned up after all before it.
      if (records.some(({ kind, exitCode }) => kind === 'end' && exitCode === EXIT.done)) break
      const intents = records.filter(({ kind }) => kind === 'intent')
      for (const folder of intents.flatMap((intent) => strings(intent['folders'])))
        folders.add(folder)
    }
    return [...folders].toSorted()
  }

  /** Oldest first, without this one. */
  #runs(): readonly string[] {
    // The agent's decisions are in the same folder.
    const names = namesIn(this.#settings.folder).filter((name) => RUN_FILE.test(name))
    return names.filter((name) => name !== this.#file).toSorted((a, b) => numberOf(a) - numberOf(b))
  }

  /** Done after a run that ended in order: what older, cut runs left is cleaned up by then. */
  #rotate(): void {
    const { folder } = this.#settings
    let bytes = sizeOf(join(folder, this.#file ?? ''))
    const newestFirst = this.#runs().toReversed()
    for (const [index, name] of newestFirst.entries()) {
      bytes += sizeOf(join(folder, name))
      if (index + 1 >= RUNS_KEPT || bytes > BYTES_KEPT) rmSync(join(folder, name), { force: true })
    }
  }
}

/** Counted, not timed: clocks at the edge lie, and the newest run must be known. */
function fileName(number: number, runId: string): string {
  const id = runId.replaceAll(/[^\w-]/g, '_').slice(0, 64)
  return `${String(number).padStart(8, '0')}.${id}.ndjson`
}

function numberOf(name: string | undefined): number {
  return Number(/^(\d+)\./.exec(name ?? '')?.[1] ?? 0)
}

function readHandlers(path: string): PendingHandler[] {
  const [record] = readLines(path)
  const handlers = record?.['handlers']
  if (!Array.isArray(handlers)) return []
  return handlers.filter(isObject).map(({ name, play, runId }) => ({
    name: String(name),
    play: String(play),
    runId: String(runId),
  }))
}

/** The records of a file, without what a power failure cut off. */
function readLines(path: string): Record<string, unknown>[] {
  const text = textOf(path)
  return text.split('\n').flatMap((line) => {
    try {
      const record: unknown = JSON.parse(line)
      return isObject(record) ? [record] : []
    } catch {
      return []
    }
  })
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return ''
    throw error
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function isAbsent(error: unknown): boolean {
  return isObject(error) && error['code'] === 'ENOENT'
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
