import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { repositoryRoot } from './cache.ts'
import { must, run, type Ended } from './command.ts'
import { hostRoot, unmountBelow } from './disks.ts'
import { LabError } from './lab_error.ts'
import type { HostObjects } from './names.ts'
import { findInit, kill, killUntilGone, processesOf } from './processes.ts'
import { labDirectory } from './state.ts'
import { until } from './wait.ts'

/** systemd takes this as the order to power off. */
const SIGRTMIN_PLUS_4 = 38

const BOOT_TIMEOUT_MS = 60_000

/** Starts a host whose root is mounted, unless it runs. Returns before it has booted. */
export async function startHost(lab: string, host: HostObjects): Promise<void> {
  if (findInit(host) !== undefined) return
  // A supervisor without its host is one whose host was killed a moment ago.
  await killUntilGone(`${host.host}'s supervisor`, () => processesOf(host))
  const log = openSync(join(labDirectory(lab), `console-${host.host}.log`), 'w')
  const script = join(repositoryRoot(), 'lab/supervise.mjs')
  const args = [script, host.machine, hostRoot(lab, host.host), host.host]
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
  })
  child.unref()
  closeSync(log)
  await until(
    `${host.host} to start`,
    () => {
      if (child.exitCode !== null)
        throw new LabError(
          `${host.host} did not start`,
          `Its console says why: ${join(labDirectory(lab), `console-${host.host}.log`)}`,
        )
      return findInit(host)
    },
    { timeoutMs: BOOT_TIMEOUT_MS },
  )
}

/** `systemctl reboot`, and waits until the new boot's sshd answers. */
export async function reboot(host: HostObjects, address: string, timeoutMs: number): Promise<void> {
  const before = findInit(host)
  await execInHost(host, ['systemctl', 'reboot'])
  await until(
    `${host.host} to go down`,
    () => {
      const now = findInit(host)
      return now !== undefined && now !== before ? true : undefined
    },
    { timeoutMs },
  )
  await hostReady(host, address)
}

/** Waits until sshd answers and lets everybody in. */
export async function hostReady(host: HostObjects, address: string): Promise<void> {
  await until(`sshd of ${host.host} (${address})`, async () => await letsIn(host, address), {
    timeoutMs: BOOT_TIMEOUT_MS,
  })
}

async function letsIn(host: HostObjects, address: string): Promise<true | undefined> {
  const init = findInit(host)
  if (init === undefined || !(await sshAnswers(address))) return undefined
  // While it exists, PAM refuses everybody but root.
  return existsSync(`/proc/${init}/root/run/nologin`) ? undefined : true
}

/** True if an SSH server says its name on port 22. */
export function sshAnswers(address: string, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22 })
    const settle = (answer: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => settle(false), timeoutMs)
    socket.once('data', (data) => settle(data.toString('latin1').startsWith('SSH-')))
    socket.once('error', () => settle(false))
    socket.once('close', () => settle(false))
  })
}

/**
 * Cuts the power: the link goes down first, so that peers meet silence and no refusal, then the
 * host's init is killed and everything in the host with it. What was written stays written.
 */
export async function cutPower(host: HostObjects): Promise<void> {
  const linkDown = await run(['ip', 'link', 'set', host.link, 'down'])
  const init = findInit(host)
  if (init !== undefined) kill(init)
  await killUntilGone(host.host, () => processesOf(host))
  // A host that was frozen is killed all the same, but the next boot would be frozen too.
  await setFrozen(host, false)
  if (linkDown.code !== 0 && init !== undefined)
    throw new LabError(linkDown.stderr.trim(), 'Run `npm run lab -- up` to mend the lab.')
}

/** Shuts a host down as its own `systemctl poweroff` does; after the bound its power is cut. */
export async function shutDown(host: HostObjects, timeoutMs: number): Promise<void> {
  const init = findInit(host)
  if (init !== undefined) kill(init, SIGRTMIN_PLUS_4)
  const deadline = performance.now() + timeoutMs
  await until(
    `${host.host} to shut down`,
    () => {
      if (processesOf(host).length === 0) return true
      return performance.now() > deadline ? false : undefined
    },
    { timeoutMs: timeoutMs + 5_000 },
  )
  await cutPower(host)
}

/**
 * Stops every process of a host where it stands, or lets them go on: what a hypervisor's pause, or a
 * machine that swaps itself to a halt, looks like from outside. The kernel still answers pings.
 */
export async function setFrozen(host: HostObjects, frozen: boolean): Promise<void> {
  const switches = ['', 'unified']
    .map((hierarchy) => join('/sys/fs/cgroup', hierarchy, host.machine, 'payload/cgroup.freeze'))
    .filter((file) => existsSync(file))
  if (switches.length === 0 && !frozen) return
  const [file] = switches
  if (file === undefined)
    throw new LabError(`${host.host} can not be frozen`, 'It is off, or there is no cgroup v2.')
  await writeFile(file, frozen ? '1' : '0')
}

/**
 * The link comes up. A namespace outlives its host: what a power cut has left of the virtual address
 * there is taken away, for a machine that boots has no address but its own.
 */
export async function plugIn(host: HostObjects, virtualIp: string): Promise<void> {
  const left = ['ip', '-n', host.machine, 'address', 'del', `${virtualIp}/24`, 'dev', 'eth0']
  if (findInit(host) === undefined) await run(left)
  await must(['ip', 'link', 'set', host.link, 'up'])
}

export async function unmountHost(lab: string, host: HostObjects): Promise<void> {
  await unmountBelow(hostRoot(lab, host.host))
}

export interface HostExecOptions {
  readonly stdin?: string
  /** @unit milliseconds. Default one minute. */
  readonly timeoutMs?: number
  readonly onLine?: (line: string) => void
}

/** Runs a command as root inside a host, from the machine's side: no network and no sshd involved. */
export async function execInHost(
  host: HostObjects,
  argv: readonly string[],
  options: HostExecOptions = {},
): Promise<Ended> {
  const init = findInit(host)
  if (init === undefined)
    throw new LabError(`${host.host} is off`, `npm run lab -- power-on ${host.host}`)
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const environment = ['-i', `PATH=${path}`, 'HOME=/root', 'USER=root', 'LC_ALL=C.UTF-8']
  const enter = ['nsenter', '--target', String(init), '--all', '--', '/usr/bin/env']
  return await run([...enter, ...environment, ...argv], options)
}
