import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** A process that has the lock's file open: who took the lock, or a command that it left behind. */
export interface LockProcess {
  readonly pid: number
  /** Its process group; each of our commands leads one. */
  readonly group: number
}

/**
 * Who has this file open, this process left out. The kernel's word and not the file's: a pid written
 * down may be another's by now, and an orphaned command never wrote one.
 */
export function processesHolding(file: string, proc = '/proc'): readonly LockProcess[] {
  const found: LockProcess[] = []
  for (const name of namesIn(proc)) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid || !hasOpen(join(proc, name), file)) continue
    const group = groupOf(join(proc, name))
    if (group !== undefined) found.push({ pid, group })
  }
  return found
}

/** Sends a signal to each process alone, or (`groups`) to all of its group. */
export function signalAll(
  processes: readonly LockProcess[],
  signal: 'SIGTERM' | 'SIGKILL',
  { groups }: { readonly groups: boolean },
): void {
  const own = groupOf('/proc/self')
  for (const { pid, group } of processes) {
    // A group of 1 would be everyone, and our own would be us.
    const isGroup = groups && group > 1 && group !== own
    try {
      process.kill(isGroup ? -group : pid, signal)
    } catch {
      // ESRCH: it is gone, which is what was wanted.
    }
  }
}

function hasOpen(folder: string, file: string): boolean {
  const fds = join(folder, 'fd')
  return namesIn(fds).some((fd) => linkOf(join(fds, fd)) === file)
}

/** The fifth field of `stat`; the name before it, in brackets, may hold spaces and brackets. */
function groupOf(folder: string): number | undefined {
  try {
    const stat = readFileSync(join(folder, 'stat'), 'utf8')
    const [, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return group === undefined ? undefined : Number(group)
  } catch {
    // It ended while we looked.
    return undefined
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
