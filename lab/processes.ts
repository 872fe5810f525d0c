import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isAbsent } from '../src/host/filesystem_error.ts'
import type { HostObjects } from './names.ts'
import { until } from './wait.ts'

/**
 * The host's init, found by the host's network namespace: it lives whether or not its nspawn does.
 * Undefined while the host is powered off.
 */
export function findInit(host: HostObjects): number | undefined {
  return inNamespace(host).find((pid) => isInit(pid))
}

/** Every process of the host: in its namespace, and nspawn and its supervisor outside of it. */
export function processesOf(host: HostObjects): number[] {
  return [...new Set([...inNamespace(host), ...processesWith(host.machine)])]
}

/** What the lab leaves running on the machine itself, beside systemd-nspawn. */
const OUR_PROGRAMS = ['supervise.mjs', 'serve.mjs', 'lab-delay']

/** Processes whose arguments hold `mark`, as one whole argument or as `--machine=mark`. */
export function processesWith(mark: string): number[] {
  return allPids().filter((pid) => {
    const args = readProcess(pid, 'cmdline').split('\0')
    const ours = args.some((arg) => OUR_PROGRAMS.includes(basename(arg)))
    return args.includes(`--machine=${mark}`) || (ours && args.includes(mark))
  })
}

/** Kills all that `find` names, again and again, until it names none. Bounded. */
export async function killUntilGone(what: string, find: () => number[]): Promise<void> {
  await until(
    `the end of ${what}`,
    () => {
      const pids = find()
      for (const pid of pids) kill(pid)
      return pids.length === 0 ? true : undefined
    },
    { timeoutMs: 20_000, everyMs: 10 },
  )
}

export function kill(pid: number, signal: NodeJS.Signals | number = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // ESRCH: it ended by itself in the meantime.
  }
}

/** The host's cgroups that are there, deepest first. */
export function cgroupsOf(host: HostObjects): string[] {
  return ['', 'systemd', 'unified'].flatMap((hierarchy) => {
    const top = join('/sys/fs/cgroup', hierarchy, host.machine)
    return existsSync(join(top, 'cgroup.procs')) ? [...below(top), top] : []
  })
}

/**
 * The processes of a unit of the host, as this machine numbers them.
 * @param mainOnly - only those whose parent is not of the unit: what systemd itself started.
 */
export function unitProcesses(host: HostObjects, unit: string, mainOnly: boolean): number[] {
  const groups = cgroupsOf(host).filter((path) => path.split('/').includes(unit))
  const pids = new Set(groups.flatMap((group) => readPids(join(group, 'cgroup.procs'))))
  return [...pids].filter((pid) => !mainOnly || !pids.has(parentOf(pid)))
}

function readPids(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number)
  } catch {
    // The unit ended in the meantime.
    return []
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readProcess(pid, 'status'))?.[1])
}

/** Removes the host's cgroups; its processes must be gone. */
export async function removeCgroups(host: HostObjects): Promise<void> {
  await until(
    `the cgroups of ${host.machine} to be empty`,
    () => {
      for (const directory of cgroupsOf(host)) {
        try {
          rmdirSync(directory)
        } catch {
          // EBUSY until the kernel has reaped the last process in it.
        }
      }
      return cgroupsOf(host).length === 0 ? true : undefined
    },
    { timeoutMs: 10_000 },
  )
}

/** Every folder below this one, the deepest first. One that goes meanwhile, as a unit's cgroup does, is none. */
export function below(directory: string): string[] {
  return foldersIn(directory).flatMap((path) => [...below(path), path])
}

function foldersIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name))
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}

function inNamespace(host: HostObjects): number[] {
  const file = join('/run/netns', host.machine)
  if (!existsSync(file)) return []
  const wanted = `net:[${statSync(file).ino}]`
  return allPids().filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`) === wanted
    } catch {
      return false
    }
  })
}

/** Process 1 of a pid namespace one level below ours. */
function isInit(pid: number): boolean {
  const ids = /^NSpid:\s+(.*)$/m.exec(readProcess(pid, 'status'))?.[1]?.split(/\s+/) ?? []
  return ids.length > 1 && ids.at(-1) === '1'
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/**
 * A field of proc_pid_stat(5), numbered as there; undefined when the process is gone.
 * @param field - 3 or more: the name, the second, may hold blanks, so it is counted from behind it.
 */
export function statField(pid: number, field: number): string | undefined {
  return readProcess(pid, 'stat').split(') ').at(-1)?.split(' ')[field - 3]
}

/** A file of /proc/PID; empty when the process is gone. */
export function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
