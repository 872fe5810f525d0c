import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { cacheRoot, withLock } from './cache.ts'
import { LabError } from './lab_error.ts'
import type { HostName } from './names.ts'
import type { Cut, Delays, Losses } from './network.ts'

/** What a lab is made as, once. */
export interface LabKind {
  /** Hosts with Python on them. */
  readonly python: boolean
  /**
   * Disks that take no fsync to heart. A power cut of the lab kills processes and loses no page of the
   * machine's memory, so that nothing can be told from it but the time; a measurement must not use it.
   */
  readonly volatile: boolean
}

/**
 * A lab on disk. Each boot from a reset writes into a *generation*: a directory with both hosts'
 * changes. A snapshot is the list of generations below it, so that taking or entering one copies nothing.
 */
export interface LabState extends LabKind {
  readonly format: 1
  readonly name: string
  /** The N of 10.77.N.0/24. */
  readonly index: number
  /** The generation that the hosts write to. */
  readonly generation: number
  /** Generations below it, oldest first. */
  readonly below: readonly number[]
  readonly snapshots: Readonly<Record<string, readonly number[]>>
  /** Generations below a host that is another machine since the last reset. */
  readonly apart: Readonly<Partial<Record<HostName, readonly number[]>>>
  readonly cuts: readonly Cut[]
  readonly delays: Delays
  readonly losses: Losses
}

/** What is broken between the hosts. */
export type NetworkFaults = Pick<LabState, 'cuts' | 'delays' | 'losses'>

export const NO_FAULTS: NetworkFaults = { cuts: [], delays: {}, losses: {} }

const NOTHING_SPECIAL: Pick<LabState, 'apart'> & NetworkFaults = { apart: {}, ...NO_FAULTS }

export function labsDirectory(): string {
  return join(cacheRoot(), 'labs')
}

export function labDirectory(name: string): string {
  return join(labsDirectory(), name)
}

/** The lab's record, or undefined if there is no such lab. */
export async function readState(name: string): Promise<LabState | undefined> {
  const file = join(labDirectory(name), 'state.json')
  if (!existsSync(file)) return undefined
  // Only writeState makes this file, whole or not at all; a lab's cache is not an input of users.
  const state = JSON.parse(await readFile(file, 'utf8')) as LabState
  // A lab that was made before there were these has none.
  return { ...NOTHING_SPECIAL, ...state }
}

export async function writeState(state: LabState): Promise<void> {
  const directory = labDirectory(state.name)
  await mkdir(directory, { recursive: true })
  const file = join(directory, 'state.json')
  await writeFile(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`)
  await rename(`${file}.new`, file)
}

export async function labNames(): Promise<readonly string[]> {
  if (!existsSync(labsDirectory())) return []
  const entries = await readdir(labsDirectory(), { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}

/** How long another command on the same lab may take before this one gives up. */
const LOCK_SECONDS = 600

/** Does work that no other command may interfere with on the same lab. */
export function lockLab<T>(name: string, work: () => Promise<T>): Promise<T> {
  return withLock(`lab-${name}`, LOCK_SECONDS, work)
}

/**
 * The lab's record; a lab that has none gets one, with a subnet that is free.
 * @param wanted - what is not named in it is taken as it is.
 */
export async function ensureState(name: string, wanted: Partial<LabKind>): Promise<LabState> {
  return await withLock('subnets', 30, async () => {
    const known = await readState(name)
    const state = known ? asWanted(known, wanted) : freshState(name, await freeIndex(name), wanted)
    if (state !== known) await writeState(state)
    return state
  })
}

function asWanted(known: LabState, { python, volatile }: Partial<LabKind>): LabState {
  if ((python ?? known.python) === known.python) {
    // The next mount makes the disks so.
    const asIs = volatile === undefined || volatile === known.volatile
    return asIs ? known : { ...known, volatile }
  }
  throw new LabError(
    `lab '${known.name}' was made ${known.python ? 'with' : 'without'} Python on its hosts`,
    `End it first: npm run lab -- down --name ${known.name}`,
    { exitCode: 2 },
  )
}

export function freshState(name: string, index: number, kind: Partial<LabKind> = {}): LabState {
  const nothing = { below: [], snapshots: {}, ...NOTHING_SPECIAL }
  const { python = false, volatile = false } = kind
  return { format: 1, name, index, python, volatile, generation: 1, ...nothing }
}

async function freeIndex(name: string): Promise<number> {
  if (name === DEFAULT_LAB) return 0
  const taken = new Set<number>()
  for (const other of await labNames()) {
    const state = await readState(other)
    if (state) taken.add(state.index)
  }
  return firstFreeIndex(taken, localAddresses())
}

export const DEFAULT_LAB = 'lab'

/** The lowest N from 1 that no lab has and in whose 10.77.N.0/24 this machine has no address. */
export function firstFreeIndex(taken: ReadonlySet<number>, addresses: readonly string[]): number {
  for (let index = 1; index < 255; index++) {
    if (taken.has(index)) continue
    if (!addresses.some((address) => address.startsWith(`10.77.${index}.`))) return index
  }
  throw new LabError('no free subnet in 10.77.0.0/16', 'npm run lab -- down --all ends all labs.')
}

function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map((one) => one.address))
}
