import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, realpath, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { must, run } from './command.ts'
import { LabError } from './lab_error.ts'
import { HOST_NAMES, type HostName } from './names.ts'
import { emptySmallDisk, fillSmallDisk, mountSmallDisk } from './small_disks.ts'
import { labDirectory, type LabState } from './state.ts'

/** The kernel takes one page of mount options: so many layers fit with room to spare. */
const MAX_GENERATIONS_BELOW = 16

export function hostRoot(lab: string, host: HostName): string {
  return join(labDirectory(lab), 'roots', host)
}

/** What makes a host itself (name, keys, users): a layer between the base and all generations. */
export function identityLayer(lab: string, host: HostName): string {
  return join(labDirectory(lab), 'identity', host)
}

/** What a host writes to, until the next reset or snapshot. */
export function ownDisk(state: LabState, host: HostName): string {
  return generation(state.name, state.generation, host)
}

function generation(lab: string, number: number, host: HostName): string {
  return join(labDirectory(lab), 'disks', String(number), host)
}

/**
 * Mounts an overlay. `redirect_dir`: without it a directory from a lower layer can't be renamed, and
 * PostgreSQL renames directories when it drops a slot. `index` and `metacopy` are off because the
 * layers are stacked anew by each reset.
 */
export function overlayMount(
  lowers: readonly string[],
  writable: { upper: string; work: string; volatile?: boolean },
  target: string,
): string[] {
  const layers = `lowerdir=${lowers.join(':')},upperdir=${writable.upper},workdir=${writable.work}`
  const syncs = writable.volatile === true ? 'volatile,' : ''
  const options = `${syncs}redirect_dir=on,index=off,metacopy=off,${layers}`
  return ['mount', '-t', 'overlay', 'overlay', '-o', options, target]
}

/** The layers under a host's own, uppermost first. */
export function lowerLayers(state: LabState, host: HostName, base: string): string[] {
  const numbers = state.apart[host] ?? state.below
  const below = numbers.map((number) => join(generation(state.name, number, host), 'upper'))
  return [...below.toReversed(), identityLayer(state.name, host), base]
}

/** Mounts the root of a host, unless it is. */
export async function mountHost(state: LabState, host: HostName, base: string): Promise<string> {
  const root = hostRoot(state.name, host)
  if ((await mountsBelow(root)).includes(root)) return root
  const own = ownDisk(state, host)
  const writable = { upper: join(own, 'upper'), work: join(own, 'work'), volatile: state.volatile }
  for (const path of [root, writable.upper, writable.work]) await mkdir(path, { recursive: true })
  // The kernel's mark that a machine which went down without a sync may have lost some: ours did not.
  await rm(join(writable.work, 'work/incompat/volatile'), { recursive: true, force: true })
  await must(overlayMount(lowerLayers(state, host, base), writable, root))
  await ownWriteAheadLog(root)
  return root
}

/**
 * Copies PostgreSQL's WAL segments up before anybody opens them. A walsender reads a segment through
 * a descriptor that it keeps: opened while the file is still a lower layer's, it would never see what
 * is written to the copy afterwards, and the pair's commits would wait for ever.
 */
async function ownWriteAheadLog(root: string): Promise<void> {
  const clusters = join(root, 'var/lib/postgresql')
  for (const version of await readdir(clusters).catch(() => []))
    for (const cluster of await readdir(join(clusters, version)).catch(() => [])) {
      const directory = join(clusters, version, cluster, 'pg_wal')
      const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
      for (const entry of entries) {
        if (!entry.isFile()) continue
        // Opening for writing is what makes overlayfs copy.
        const file = await open(join(directory, entry.name), 'r+')
        await file.close()
      }
    }
}

/** Unmounts everything below a directory, innermost first. */
export async function unmountBelow(directory: string): Promise<void> {
  for (const mount of (await mountsBelow(directory)).toReversed()) {
    const ended = await run(['umount', mount])
    // A terminal left inside by a person must not keep a lab alive.
    if (ended.code !== 0) await must(['umount', '--lazy', mount])
  }
}

export async function mountsBelow(directory: string): Promise<string[]> {
  return mountPoints(await readFile('/proc/self/mountinfo', 'utf8')).filter(
    (mount) => mount === directory || mount.startsWith(`${directory}/`),
  )
}

/**
 * Removes a directory with all that is in it, unless something is mounted there: what would be removed
 * then is the mounted, a machine's disk at the worst.
 */
export async function removeUnmounted(directory: string): Promise<void> {
  if (!existsSync(directory)) return
  const mounts = await mountsBelow(await realpath(directory))
  if (mounts.length > 0)
    throw new LabError(
      `${directory} is not removed, something is mounted there:\n  ${mounts.join('\n  ')}`,
      'Unmount it (`umount PATH`, the last one first), then `npm run lab -- down` again.',
    )
  await rm(directory, { recursive: true, force: true })
}

/** Mount points in the order of mounting, from the text of /proc/self/mountinfo. */
export function mountPoints(mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
}

/** The state after a snapshot: the generation written so far is sealed under that name. */
export function withSnapshot(state: LabState, name: string): LabState {
  const [other] = Object.keys(state.apart)
  if (other !== undefined)
    throw new LabError(
      `${other} is another machine since the last reset`,
      'A snapshot holds hosts that began together: reset first.',
      { exitCode: 2 },
    )
  const below = [...state.below, state.generation]
  if (below.length > MAX_GENERATIONS_BELOW)
    throw new LabError(
      `snapshot '${name}' would be the ${below.length}th on top of each other`,
      'Reset to an earlier one, or to bare hosts, before taking more.',
      { exitCode: 2 },
    )
  const snapshots = { ...state.snapshots, [name]: below }
  return { ...state, generation: nextGeneration(state), below, snapshots }
}

/** The state after a reset to a snapshot, or to bare hosts. */
export function withReset(state: LabState, to: string | undefined): LabState {
  return { ...state, generation: nextGeneration(state), below: layersOf(state, to), apart: {} }
}

/**
 * The state in which one host is another machine: bare, or as it was in a snapshot; or the one from before
 * again.
 */
export function withNewMachine(
  { apart, ...state }: LabState,
  host: HostName,
  which: NewMachine,
): LabState {
  const { [host]: _, ...others } = apart
  if (which === 'the old one') return { ...state, apart: others }
  const layers = layersOf({ ...state, apart }, which.like)
  return { ...state, apart: { ...others, [host]: layers } }
}

/** The machine that is to stand where a host stood. */
export type NewMachine = { readonly like: string | undefined } | 'the old one'

/** The layers of a snapshot, or none. */
function layersOf({ snapshots }: LabState, name: string | undefined): readonly number[] {
  const layers = name === undefined ? [] : snapshots[name]
  if (layers !== undefined) return layers
  const known = Object.keys(snapshots).join(', ') || 'none'
  throw new LabError(`no snapshot '${name}'`, `Snapshots of this lab: ${known}.`, { exitCode: 2 })
}

function nextGeneration({ generation, below, snapshots }: LabState): number {
  return Math.max(generation, ...below, ...Object.values(snapshots).flat()) + 1
}

/** Puts another machine's disk under a host that is off; the old one's is kept until the next reset. */
export async function exchangeDisk(
  state: LabState,
  host: HostName,
  which: NewMachine,
): Promise<void> {
  await unmountBelow(hostRoot(state.name, host))
  const own = ownDisk(state, host)
  const aside = `${own}.old`
  if (which === 'the old one') {
    if (!existsSync(aside)) throw new LabError(`${host} has no old machine`, 'Renew it first.')
    await removeUnmounted(own)
    await rename(aside, own)
  } else if (existsSync(aside)) await removeUnmounted(own)
  else await rename(own, aside)
}

/** Generations that neither the hosts nor a snapshot use. */
export function unusedGenerations(state: LabState, present: readonly number[]): number[] {
  const { generation, below, snapshots, apart } = state
  const used = new Set([generation, below, Object.values(snapshots), Object.values(apart)].flat(2))
  return present.filter((number) => !used.has(number))
}

/** Removes generations that nothing uses any more. */
export async function pruneGenerations(state: LabState): Promise<void> {
  const directory = join(labDirectory(state.name), 'disks')
  if (!existsSync(directory)) return
  const present = (await readdir(directory)).map(Number)
  for (const number of unusedGenerations(state, present)) {
    await unmountBelow(join(directory, String(number)))
    await removeUnmounted(join(directory, String(number)))
  }
}

/** Fresh, empty layers for the state's current generation. */
export async function makeGeneration(state: LabState, small = false): Promise<void> {
  for (const host of HOST_NAMES) {
    await mkdir(ownDisk(state, host), { recursive: true })
    if (small) await mountSmallDisk(ownDisk(state, host))
    for (const part of ['upper', 'work'])
      await mkdir(join(ownDisk(state, host), part), { recursive: true })
  }
}

/** Leaves a host that has a small disk no room on it. */
export async function fillDisk(state: LabState, host: HostName): Promise<void> {
  const disk = ownDisk(state, host)
  if ((await mountsBelow(disk)).includes(disk)) return await fillSmallDisk(disk)
  throw new LabError(
    `${host}'s disk is the machine's own, which is never filled`,
    'Give the hosts small ones first: npm run lab -- reset --to SNAPSHOT --small-disks',
    { exitCode: 2 },
  )
}

/** Gives small disks their room back. */
export async function emptyDisks(state: LabState): Promise<void> {
  for (const host of HOST_NAMES) {
    const disk = ownDisk(state, host)
    if ((await mountsBelow(disk)).includes(disk)) await emptySmallDisk(disk)
  }
}
