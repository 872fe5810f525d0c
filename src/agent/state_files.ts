import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { firstLineOf } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'
import { fileVersion } from '../host/file_version.ts'
import { readText } from '../host/files.ts'
import { isAbsent } from '../host/filesystem_error.ts'
import {
  HOST_META_FILE,
  type HostMeta,
  parseHostMeta,
  serialiseHostMeta,
} from '../pair/host_meta.ts'
import type { Moment } from '../pair/pause.ts'
import { Faults } from './faults.ts'
import { MetaHistory, type Version, writeDurably } from './meta_history.ts'
import { PauseFile } from './pause_file.ts'
import { PERMIT } from './service_stop.ts'
import type { Note, Proof, Store } from './ports.ts'

const PROOF_FILE = 'promotable.json'
const CHANGES_FILE = 'changes.json'
const DIFFERS_FILE = 'differs.json'
const STATE_FORMAT = 1
const PAUSE_FILE = '.two-node-pause'
const INITIALISED_FILE = '.two-node-initialized'

/** More than the flap guard ever counts. */
const CHANGES_KEPT = 32

const NO_PROOF: Proof = { term: 0, voided: 0 }

export interface StateFilesOptions {
  readonly directory: string
  readonly site: string
  /** Faults, and a pause that has ended by itself. */
  readonly note: (entry: Note & { readonly kind: 'fault' | 'pause' }) => void
  readonly moment: () => Moment
  /** Where kine's permit lies; tests have their own. */
  readonly permit?: string
}

/** What an agent knows over a power cut, and what operators leave for it. */
export interface StateFiles extends Store {
  readonly pause: PauseFile
}

export function openStateFiles(options: StateFilesOptions): StateFiles {
  return new FilesOnDisk(options)
}

/** What was read, and of which file: as long as that one stands, it need not be read again. */
interface Remembered {
  readonly identity: string
  readonly answer: { readonly meta: HostMeta | null; readonly fault: string | null }
}

class FilesOnDisk implements StateFiles {
  readonly pause: PauseFile
  readonly #options: StateFilesOptions
  readonly #history: MetaHistory
  #remembered: Remembered | undefined
  #permit: { readonly identity: string; readonly lines: readonly string[] } | undefined
  #turn: Promise<unknown> = Promise.resolve()
  readonly #faults: Faults
  readonly #sentinels = new Map<string, boolean>()

  constructor(options: StateFilesOptions) {
    this.#options = options
    this.#history = new MetaHistory(options.directory)
    this.#faults = new Faults(options.note)
    this.pause = new PauseFile({
      path: this.#path(PAUSE_FILE),
      moment: options.moment,
      ended: () => options.note({ kind: 'pause', paused: false, by: 'expiry' }),
    })
  }

  async readMeta(): Promise<{ readonly meta: HostMeta | null; readonly fault: string | null }> {
    return await this.#inTurn(async () => {
      const identity = await versionOf(this.#path(HOST_META_FILE))
      if (this.#remembered?.identity !== identity)
        this.#remembered = { identity, answer: await this.#readAnew() }
      return this.#remembered.answer
    })
  }

  async writeMeta(meta: HostMeta): Promise<void> {
    await this.#inTurn(async () => {
      const text = serialiseHostMeta(meta)
      // What can't be read again must not be written: term and branch out of bounds, say.
      this.#judge(text)
      const takeBack = await this.#history.add(text)
      try {
        await writeDurably(this.#path(HOST_META_FILE), text)
      } catch (error) {
        await takeBack()
        throw error
      }
      this.#remembered = undefined
    })
  }

  async readProof(): Promise<Proof> {
    try {
      const text = await readText(this.#path(PROOF_FILE))
      const proof = text === undefined ? NO_PROOF : parseProof(text)
      this.#faults.clear(PROOF_FILE)
      return proof
    } catch (error) {
      this.#faults.tell(PROOF_FILE, `counts as no proof: ${firstLineOf(error)}`)
      return NO_PROOF
    }
  }

  async writeProof({ term, voided }: Proof): Promise<void> {
    const text = `${JSON.stringify({ format: STATE_FORMAT, term, voided })}\n`
    parseProof(text)
    await this.#inTurn(async () => await writeDurably(this.#path(PROOF_FILE), text))
  }

  async isInitialised(): Promise<boolean> {
    const look = async () => await exists(this.#path(INITIALISED_FILE))
    return await this.#sentinel(INITIALISED_FILE, look, false)
  }

  async isPaused(): Promise<boolean> {
    // Not to be told is a reason to stand still.
    const look = async () => (await this.pause.left()) !== undefined
    return await this.#sentinel(PAUSE_FILE, look, true)
  }

  async isPermitted({ branch, leader }: HostMeta): Promise<boolean> {
    const path = this.#options.permit ?? PERMIT
    const identity = await versionOf(path)
    if (this.#permit?.identity !== identity) {
      const text = await readText(path).catch((): undefined => undefined)
      // What could not be read this time may be the next time, and be the same file.
      this.#permit = text === undefined ? undefined : { identity, lines: text.split('\n') }
    }
    const lines = this.#permit?.lines ?? []
    return lines.includes(`branch: ${branch}`) && lines.includes(`leader: "${leader}"`)
  }

  async readChanges(): Promise<readonly number[]> {
    try {
      const text = await readText(this.#path(CHANGES_FILE))
      const changes = text === undefined ? [] : parseChanges(text)
      this.#faults.clear(CHANGES_FILE)
      return changes
    } catch (error) {
      this.#faults.tell(CHANGES_FILE, `counts as none: ${firstLineOf(error)}`)
      return []
    }
  }

  async writeChanges(changes: readonly number[]): Promise<void> {
    const kept = changes.slice(-CHANGES_KEPT)
    const text = `${JSON.stringify({ format: STATE_FORMAT, changes: kept })}\n`
    await this.#inTurn(async () => await writeDurably(this.#path(CHANGES_FILE), text))
  }

  async readDiffers(): Promise<string | null> {
    try {
      const text = await readText(this.#path(DIFFERS_FILE))
      const slot = text === undefined ? null : parseSlot(text)
      this.#faults.clear(DIFFERS_FILE)
      return slot
    } catch (error) {
      this.#faults.tell(DIFFERS_FILE, `counts as none: ${firstLineOf(error)}`)
      return null
    }
  }

  async writeDiffers(slot: string): Promise<void> {
    const text = `${JSON.stringify({ format: STATE_FORMAT, slot })}\n`
    await this.#inTurn(async () => await writeDurably(this.#path(DIFFERS_FILE), text))
  }

  async #readAnew(): Promise<Remembered['answer']> {
    const path = this.#path(HOST_META_FILE)
    try {
      const text = await readText(path)
      if (text === undefined) return await this.#fromHistory('it is missing')
      const meta = this.#judge(text)
      await this.#keep(text)
      return { meta, fault: null }
    } catch (error) {
      return await this.#fromHistory(firstLineOf(error))
    }
  }

  async #fromHistory(why: string): Promise<Remembered['answer']> {
    const known = (await this.#history.versions()).find(this.#isOurs)
    if (known === undefined && why === 'it is missing') return { meta: null, fault: null }
    const used = known === undefined ? 'and no older one is known' : 'the last known one is used'
    // Not told here: whoever asks is told, and has more to say about it.
    const fault = `${HOST_META_FILE}: ${why}; ${used}`
    return { meta: known?.meta ?? null, fault }
  }

  /** What a laptop wrote is a version too. */
  async #keep(text: string): Promise<void> {
    try {
      await this.#history.add(text)
      this.#faults.clear('history')
    } catch (error) {
      this.#faults.tell(
        'history',
        `this version of ${HOST_META_FILE} is not kept: ${firstLineOf(error)}`,
      )
    }
  }

  #judge(text: string): HostMeta {
    const meta = parseHostMeta(text)
    if (meta.site !== this.#options.site)
      throw new Error(`it is of site ${meta.site}, not ${this.#options.site}`)
    return meta
  }

  readonly #isOurs = ({ meta }: Version): boolean => meta.site === this.#options.site

  async #sentinel(name: string, look: () => Promise<boolean>, inDoubt: boolean): Promise<boolean> {
    try {
      const isThere = await look()
      this.#sentinels.set(name, isThere)
      this.#faults.clear(name)
      return isThere
    } catch (error) {
      this.#faults.tell(name, `can not be looked at: ${firstLineOf(error)}`)
      return this.#sentinels.get(name) ?? inDoubt
    }
  }

  #path(name: string): string {
    return join(this.#options.directory, name)
  }

  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(act)
    this.#turn = mine.catch(() => {})
    return await mine
  }
}

/** A file that is not there has a version too: another one than any that was. */
async function versionOf(path: string): Promise<string> {
  try {
    return await fileVersion(path)
  } catch (error) {
    return firstLineOf(error)
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

/** @throws Error in words for what is no proof */
function parseProof(text: string): Proof {
  const parsed = parseJson(text)
  if (!isObject(parsed)) throw new Error('it is torn or empty')
  const { format, term, voided = 0, ...rest } = parsed
  if (format !== STATE_FORMAT) throw new Error(`its format is not ${STATE_FORMAT}`)
  if (!isTerm(term) || !isTerm(voided) || Object.keys(rest).length > 0)
    throw new Error('it is none of ours')
  return { term, voided }
}

/** @throws Error in words for what names no slot */
function parseSlot(text: string): string {
  const parsed = parseJson(text)
  if (!isObject(parsed) || parsed['format'] !== STATE_FORMAT) throw new Error('it is torn or empty')
  if (typeof parsed['slot'] !== 'string') throw new Error('it is none of ours')
  return parsed['slot']
}

/** @throws Error in words for what is no list of times */
function parseChanges(text: string): readonly number[] {
  const parsed = parseJson(text)
  if (!isObject(parsed) || parsed['format'] !== STATE_FORMAT) throw new Error('it is torn or empty')
  const { changes } = parsed
  if (!Array.isArray(changes) || changes.length > CHANGES_KEPT)
    throw new Error('it is none of ours')
  const times: readonly unknown[] = changes
  if (!times.every((time) => typeof time === 'number')) throw new Error('it holds no times')
  return times
}

function isTerm(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
