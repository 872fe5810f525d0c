import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileVersion } from '../host/file_version.ts'
import { readText } from '../host/files.ts'
import { isAbsent } from '../host/filesystem_error.ts'
import { syncDirectory } from '../host/staged_file.ts'
import {
  type Moment,
  parsePause,
  type Pause,
  pauseFrom,
  pauseLeft,
  serialisePause,
} from '../pair/pause.ts'
import { Gate } from './gate.ts'
import { writeDurably } from './meta_history.ts'

export interface PauseFileOptions {
  readonly path: string
  readonly moment: () => Moment
  /** Told once when a pause has ended by itself. */
  readonly ended: () => void
  /** The sentinel's text. */
  readonly read?: typeof readText
}

/** What a sentinel says; null: it was made by hand, and stays until somebody removes it. */
type Content = Pause | null

/**
 * The pause's sentinel: a file, as in the seeds, that survives whatever restarts. One of ours says when it
 * ends; one that a person made, of whatever kind, does not end.
 */
export class PauseFile {
  readonly #options: PauseFileOptions
  /** Of which file it was read: as long as that one stands, it need not be read again. */
  #read: { readonly version: string; readonly content: Content } | undefined
  /** The version of one that is over, and could not be removed. */
  #over: string | undefined
  /** Whatever changes the file: what an operator asks for comes between a look and what follows from it. */
  readonly #gate = new Gate()

  constructor(options: PauseFileOptions) {
    this.#options = options
  }

  /** What is left, in milliseconds; null: no end; undefined: there is no pause, or it is over by now. */
  async left(): Promise<number | null | undefined> {
    const version = await this.#version()
    if (version === undefined) return undefined
    const content = await this.#content(version)
    if (content === null) return null
    const moment = this.#options.moment()
    const leftMs = pauseLeft(content, moment)
    if (leftMs === 0) {
      await this.#end(version)
      return undefined
    }
    // From here on this boot's own clock counts: one on the wall that is set later changes nothing.
    if (content.boot !== moment.boot) await this.#ifStill(version, () => this.#write(leftMs))
    return leftMs
  }

  async begin(forMs: number): Promise<void> {
    await this.#gate.run(() => this.#write(forMs))
  }

  async remove(): Promise<void> {
    await this.#gate.run(() => this.#remove())
  }

  /** A disk that does not take it changes nothing: it is tried again. */
  async #ifStill(version: string, change: () => Promise<void>): Promise<void> {
    const turn = this.#gate.run(async () => {
      if ((await this.#version()) === version) await change()
    })
    await turn.catch(() => undefined)
  }

  async #write(forMs: number): Promise<void> {
    const pause = pauseFrom(this.#options.moment(), forMs)
    await writeDurably(this.#options.path, serialisePause(pause))
  }

  async #remove(): Promise<void> {
    await rm(this.#options.path, { recursive: true, force: true })
    await syncDirectory(dirname(this.#options.path))
  }

  /** A disk that does not take it must not lengthen the pause: it is tried again, and told once. */
  async #end(version: string): Promise<void> {
    const isNews = this.#over !== version
    this.#over = version
    if (isNews) this.#options.ended()
    await this.#ifStill(version, () => this.#remove())
  }

  async #version(): Promise<string | undefined> {
    try {
      return await fileVersion(this.#options.path)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  async #content(version: string): Promise<Content> {
    if (this.#read?.version === version) return this.#read.content
    let text: string | undefined
    try {
      text = await (this.#options.read ?? readText)(this.#options.path)
    } catch {
      // Nobody's text: a directory, or a file that a busy system could not read now and can the next time.
      return null
    }
    const content = parsePause(text ?? '')
    this.#read = { version, content }
    return content
  }
}
