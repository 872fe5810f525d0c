import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { delayProgram } from './artefacts.ts'
import { must } from './command.ts'
import { HOST_NAMES, type HostName, type HostObjects, type LabObjects } from './names.ts'
import { cutRules, type Command } from './network.ts'
import { killUntilGone, processesWith } from './processes.ts'
import { labDirectory, type NetworkFaults } from './state.ts'
import { until } from './wait.ts'

/** Each host's namespace has queues of its own: one number does for all. */
const QUEUE = 77

/** What the queue's program is told: how late a packet is, and how many are lost. */
type Fate = readonly [milliseconds: string, lossPercent: string, seed: string]

/** Makes the machine's packet rules, and the programs that hold packets back, what the state says. */
export async function applyFaults(objects: LabObjects, faults: NetworkFaults): Promise<void> {
  await must(['nft', '-f', '-'], { stdin: cutRules(objects, faults.cuts) })
  for (const host of HOST_NAMES) {
    const { machine } = objects.hosts[host]
    const fate = fateOf(faults, host)
    const before = processesWith(delayMark(objects.hosts[host]))
    if (before.length === 0 && fate === undefined) continue
    await must(delayRule(machine, 'flush'))
    await killUntilGone(`the delay of ${host}`, () => processesWith(delayMark(objects.hosts[host])))
    if (fate === undefined) continue
    await startDelay(objects, objects.hosts[host], fate)
    await must(delayRule(machine, 'queue'))
  }
}

/** What becomes of the packets that are sent to a host; undefined if nothing is done to them. */
export function fateOf({ delays, losses }: NetworkFaults, host: HostName): Fate | undefined {
  const milliseconds = delays[host] ?? 0
  const { percent, seed } = losses[host] ?? { percent: 0, seed: 1 }
  if (milliseconds === 0 && percent === 0) return undefined
  return [String(milliseconds), String(percent), String(seed)]
}

/**
 * A rule in the host's namespace that queues what arrives for the delaying program. What arrives, not
 * what is sent: a packet held at its sender counts against TCP's small queue, and two segments a
 * round trip is all that would ever be under way. iptables and not nft, because there are kernels
 * with the first kind of queue rule and without the second; bypass, because without the program
 * packets must pass undelayed instead of vanishing.
 */
export function delayRule(namespace: string, act: 'queue' | 'flush'): Command {
  const inside = ['ip', 'netns', 'exec', namespace, 'iptables', '-w', '-t', 'mangle']
  if (act === 'flush') return [...inside, '-F', 'PREROUTING']
  const target = ['-j', 'NFQUEUE', '--queue-num', String(QUEUE), '--queue-bypass']
  return [...inside, '-A', 'PREROUTING', '!', '-i', 'lo', ...target]
}

/** The argument by which a host's delaying program is found among all processes. */
export function delayMark(host: HostObjects): string {
  return `${host.machine}-delay`
}

async function startDelay(objects: LabObjects, host: HostObjects, fate: Fate): Promise<void> {
  const program = await delayProgram()
  const log = openSync(join(labDirectory(objects.name), 'delay.log'), 'a')
  const inside = ['netns', 'exec', host.machine, program]
  const args = [...inside, delayMark(host), String(QUEUE), ...fate]
  const child = spawn('ip', args, { detached: true, stdio: ['ignore', log, log], cwd: '/' })
  child.unref()
  closeSync(log)
  const queues = `/proc/${child.pid}/net/netfilter/nfnetlink_queue`
  await until(
    `the packet queue of ${host.host}`,
    async () =>
      hasQueue(await readFile(queues, 'utf8').catch(() => ''), QUEUE) ? true : undefined,
    { timeoutMs: 5_000 },
  )
}

/** True if the queue's number opens one of the list's lines. */
export function hasQueue(list: string, queue: number): boolean {
  return list.split('\n').some((line) => Number(line.trim().split(/\s+/)[0]) === queue)
}
