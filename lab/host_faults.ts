import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { must } from './command.ts'
import { hostRoot } from './disks.ts'
import { execInHost } from './hosts.ts'
import { LabError } from './lab_error.ts'
import { HOST_NAMES, type HostName, type LabObjects } from './names.ts'
import { findInit, kill, unitProcesses } from './processes.ts'

export interface UnitSignal {
  /** Default SIGKILL. SIGSTOP hangs it, SIGCONT lets it go on. */
  readonly signal?: NodeJS.Signals
  /** Only the process that systemd started, not its children. */
  readonly mainOnly?: boolean
}

/**
 * Signals the processes of a host's unit, by their ids and from outside: systemd in the host sees them
 * die, and is not asked. Gives the ids; none if the unit does not run.
 */
export function signalUnit(
  objects: LabObjects,
  host: HostName,
  unit: string,
  { signal = 'SIGKILL', mainOnly = false }: UnitSignal = {},
): number[] {
  const pids = unitProcesses(objects.hosts[host], unit, mainOnly)
  for (const pid of pids) kill(pid, signal)
  return pids
}

/**
 * Ends a host's PostgreSQL so that it can't start again: its program may not be run any more. The data
 * stay as the kill left them.
 */
export async function breakPostgres(objects: LabObjects, host: HostName): Promise<void> {
  const programs = await postgresPrograms(objects, host)
  if (programs.length === 0)
    throw new LabError(`${host} has no PostgreSQL`, 'Converge the pair first.', { exitCode: 2 })
  for (const program of programs) await chmod(program, 0o644)
  for (const unit of await postgresUnits(objects, host)) signalUnit(objects, host, unit)
}

/** Ends {@link breakPostgres} and {@link fakeClock}; what was not broken is left alone. */
export async function mendHost(objects: LabObjects, host: HostName): Promise<void> {
  for (const program of await postgresPrograms(objects, host)) await chmod(program, 0o755)
  if (findInit(objects.hosts[host]) === undefined) return
  for (const unit of await fakedUnits(objects, host)) {
    await rm(dropIn(objects, host, unit), { force: true })
    await restart(objects, host, unit)
  }
}

/**
 * Moves the wall clock of one unit's processes. libfaketime, preloaded: a host of the lab shares the
 * machine's clock, time namespaces have no wall clock of their own, and setting the clock would set the
 * machine's. So only programs that are linked dynamically can be moved, the agent and PostgreSQL, and not
 * kine and k3s. Monotonic clocks and /proc/uptime stay true, as they do when somebody sets a clock.
 *
 * The first call for a unit restarts it; later ones move the clock of running processes.
 * @param seconds - ahead of the machine's clock, or behind it when negative.
 */
export async function fakeClock(
  objects: LabObjects,
  host: HostName,
  unit: string,
  seconds: number,
): Promise<void> {
  const root = hostRoot(objects.name, host)
  const clock = join(root, CLOCK_FILE)
  await mkdir(join(root, LIBRARY_DIRECTORY), { recursive: true })
  // Never half a file: libfaketime reads it with every look at the clock.
  await writeFile(`${clock}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
  await rename(`${clock}.new`, clock)
  const file = dropIn(objects, host, unit)
  if (existsSync(file)) return
  await copyFile(await fakeTimeLibrary(), join(root, LIBRARY))
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, clockDropIn())
  await restart(objects, host, unit)
}

/** Where the host has what moves its clocks: not in /run, which a host mounts over. */
const LIBRARY_DIRECTORY = '/var/local/twonode-lab'
const LIBRARY = `${LIBRARY_DIRECTORY}/libfaketime.so`
const CLOCK_FILE = `${LIBRARY_DIRECTORY}/clock`
const DROP_IN = '90-twonode-lab-clock.conf'

/** The unit's environment under a moved clock. */
export function clockDropIn(): string {
  const environment = {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: CLOCK_FILE,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
  const lines = Object.entries(environment).map(([name, value]) => `Environment=${name}=${value}`)
  return `[Service]\n${lines.join('\n')}\n`
}

function dropIn(objects: LabObjects, host: HostName, unit: string): string {
  return join(hostRoot(objects.name, host), 'etc/systemd/system', `${unit}.d`, DROP_IN)
}

async function fakedUnits(objects: LabObjects, host: HostName): Promise<string[]> {
  const units = await names(join(hostRoot(objects.name, host), 'etc/systemd/system'))
  return units
    .filter((name) => name.endsWith('.service.d'))
    .map((name) => name.slice(0, -'.d'.length))
    .filter((unit) => existsSync(dropIn(objects, host, unit)))
}

async function restart(objects: LabObjects, host: HostName, unit: string): Promise<void> {
  for (const act of [['daemon-reload'], ['restart', unit]]) {
    const ended = await execInHost(objects.hosts[host], ['systemctl', ...act])
    if (ended.code !== 0)
      throw new LabError(
        `${host}: systemctl ${act.join(' ')}: ${ended.stderr.trim()}`,
        'Look there.',
      )
  }
}

async function fakeTimeLibrary(): Promise<string> {
  const files = (await must(['dpkg', '-L', 'libfaketime'])).split('\n')
  const library = files.find((file) => file.endsWith('/libfaketime.so.1'))
  if (library !== undefined) return library
  throw new LabError(
    'libfaketime has no libfaketime.so.1',
    'apt-get install --reinstall libfaketime',
  )
}

async function postgresPrograms(objects: LabObjects, host: HostName): Promise<string[]> {
  const versions = join(hostRoot(objects.name, host), 'usr/lib/postgresql')
  return (await names(versions))
    .map((version) => join(versions, version, 'bin/postgres'))
    .filter((program) => existsSync(program))
}

async function postgresUnits(objects: LabObjects, host: HostName): Promise<string[]> {
  const versions = join(hostRoot(objects.name, host), 'etc/postgresql')
  const units: string[] = []
  for (const version of await names(versions))
    for (const cluster of await names(join(versions, version)))
      units.push(`postgresql@${version}-${cluster}.service`)
  return units
}

async function names(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => [])
}

/** Every host's mendable faults. */
export async function mendHosts(objects: LabObjects): Promise<void> {
  await Promise.all(HOST_NAMES.map((host) => mendHost(objects, host)))
}
