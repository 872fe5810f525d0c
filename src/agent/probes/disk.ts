import { open, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { isAbsent, systemCode } from '../../host/filesystem_error.ts'
import type { Faults } from '../faults.ts'

/** Written and removed again. No part of PostgreSQL, which leaves unknown files alone. */
const TRIAL_FILE = '.twonode-write-probe'
const TRIAL = Buffer.alloc(4096, 'twonode\n')

/** Between two looks at the space: a disk does not fill up in less. @unit milliseconds */
const SPACE_MS = 2_000

/** Between two trials: each waits for the disk. @unit milliseconds */
const TRIAL_MS = 10_000

/** A write that is not on the disk by then is none. @unit milliseconds */
const HUNG_MS = 15_000

export interface DiskSighting {
  readonly writable: boolean
  readonly freeBytes: number
}

/** Folders whose room counts; several on one file system are one. */
export interface DiskFolders {
  /** A small file is written there now and then. */
  readonly tried: readonly string[]
  /** Of others alone: nothing of theirs is touched. */
  readonly measured: readonly string[]
}

/** Space and writability of a few folders. */
export class Disk {
  readonly #folders: DiskFolders
  readonly #faults: Faults
  readonly #now: () => number
  #freeBytes = Number.MAX_SAFE_INTEGER
  #isWritable = true
  #measuredAt = -Infinity
  #trialStartedAt = -Infinity
  #trial: Promise<void> | undefined
  #looking: Promise<void> | undefined

  constructor(folders: DiskFolders, faults: Faults, now = () => performance.now()) {
    this.#folders = folders
    this.#faults = faults
    this.#now = now
  }

  /** What is known; the newest as soon as the file systems answer. */
  async look(): Promise<DiskSighting> {
    if (this.#looking === undefined && this.#now() - this.#measuredAt < SPACE_MS) return this.last
    this.#measuredAt = this.#now()
    this.#looking ??= this.#measure()
      .catch((error: unknown) => this.#refused(error))
      .finally(() => {
        this.#looking = undefined
      })
    await this.#looking
    return this.last
  }

  get last(): DiskSighting {
    const isHung = this.#trial !== undefined && this.#now() - this.#trialStartedAt > HUNG_MS
    if (isHung) this.#faults.tell('disk', `a write takes longer than ${HUNG_MS / 1000} s`)
    return { writable: this.#isWritable && !isHung, freeBytes: this.#freeBytes }
  }

  async #measure(): Promise<void> {
    const { tried, measured } = this.#folders
    const folders = await onePerDevice([...tried, ...measured])
    const free = await Promise.all(folders.map(freeBytesOf))
    this.#freeBytes = Math.min(...free, Number.MAX_SAFE_INTEGER)
    if (this.#trial !== undefined || this.#now() - this.#trialStartedAt < TRIAL_MS) return
    this.#trialStartedAt = this.#now()
    this.#trial = this.#try(tried).finally(() => {
      this.#trial = undefined
    })
  }

  async #try(folders: readonly string[]): Promise<void> {
    try {
      for (const folder of await onePerDevice(folders)) await writeTrial(join(folder, TRIAL_FILE))
      this.#isWritable = true
      this.#faults.clear('disk')
    } catch (error) {
      this.#refused(error)
    }
  }

  #refused(error: unknown): void {
    this.#isWritable = false
    this.#faults.tell('disk', `no small file can be written: ${systemCode(error) ?? String(error)}`)
  }
}

/** Folders that are there, one for each file system. */
async function onePerDevice(folders: readonly string[]): Promise<readonly string[]> {
  const devices = new Map<number, string>()
  for (const folder of folders) {
    try {
      const { dev } = await stat(folder)
      if (!devices.has(dev)) devices.set(dev, folder)
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }
  return [...devices.values()]
}

/** What PostgreSQL may use: root's reserve is not for it. */
async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

async function writeTrial(path: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(TRIAL)
    await file.datasync()
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}
