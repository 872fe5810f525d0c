import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { askAgent, CONTROL_SOCKET } from '../src/agent/control_socket.ts'
import { isObject, parseJson, type JsonObject } from '../src/core/json.ts'
import { parseHostMeta, type HostMeta } from '../src/pair/host_meta.ts'
import { hostRoot } from './disks.ts'
import type { Lab } from './lab.ts'
import { HOST_NAMES, labObjects, type HostName } from './names.ts'
import { findInit, readProcess, statField, unitProcesses } from './processes.ts'

const STATE_DIRECTORY = 'var/lib/twonode'

/** An agent that answers later does not answer: the host may be frozen. @unit milliseconds */
const AGENT_TIMEOUT_MS = 5_000

/**
 * A host's hostMeta, from its disk: it can be read while the host is cut off, frozen or powered off.
 * Undefined while there is none that can be read.
 */
export function metaOf(lab: Lab, host: HostName): HostMeta | undefined {
  const file = join(hostRoot(lab.name, host), STATE_DIRECTORY, 'host-meta.yaml')
  try {
    return parseHostMeta(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** The term for which a follower's proof stands on its disk; 0 if there is none (A3). */
export function proofTerm(lab: Lab, host: HostName): number {
  const file = join(hostRoot(lab.name, host), STATE_DIRECTORY, 'promotable.json')
  try {
    return Number((JSON.parse(readFileSync(file, 'utf8')) as { term?: unknown }).term)
  } catch {
    return 0
  }
}

/** True when both hosts say paired in one term, and the follower has its proof of it. */
export function arePaired(lab: Lab): boolean {
  const [mine, theirs] = [metaOf(lab, 'h1'), metaOf(lab, 'h2')]
  if (mine?.mode !== 'paired' || theirs?.mode !== 'paired' || mine.term !== theirs.term)
    return false
  return proofTerm(lab, mine.leader === 'h1' ? 'h2' : 'h1') === mine.term
}

/**
 * What the agent of a host says of itself, by its own socket; nothing when none answers. Who polls asks
 * so: each `twonode status` inside the host costs a start of Node there.
 */
export async function agentStatus(lab: Lab, host: HostName): Promise<JsonObject> {
  const init = findInit(labObjects(lab.name).hosts[host])
  if (init === undefined) return {}
  let said: JsonObject = {}
  const asked = askAgent(
    `/proc/${init}/root${CONTROL_SOCKET}`,
    { command: 'status', options: {} },
    (line) => (said = line),
  )
  await Promise.race([asked, pause(AGENT_TIMEOUT_MS, undefined, { ref: false })]).catch(
    () => undefined,
  )
  return said
}

/** One line of an agent's journal: what it did by which rule, and when. */
export interface Decision {
  readonly host: HostName
  /** @unit milliseconds of wall time, the machine's */
  readonly at: number
  readonly record: Readonly<Record<string, unknown>>
}

/** What the agents of both hosts have written into their journals since a moment, in order of time. */
export function decisions(lab: Lab, since = 0): Decision[] {
  return HOST_NAMES.flatMap((host) => decisionsOf(lab, host))
    .filter(({ at }) => at >= since)
    .toSorted((a, b) => a.at - b.at)
}

function decisionsOf(lab: Lab, host: HostName): Decision[] {
  const directory = join(hostRoot(lab.name, host), STATE_DIRECTORY, 'journal')
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => /^decisions-.*\.ndjson$/.test(name))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
    .flatMap((line) => {
      // A power cut may leave a line of zeroes, a full disk a part of one.
      const record = parseJson(line)
      return isObject(record) ? [{ host, at: wallTime(record), record }] : []
    })
}

function wallTime(record: Readonly<Record<string, unknown>>): number {
  const at = record['at']
  return typeof at === 'number' ? at : Date.parse(String(at))
}

/** The parts of a Kubernetes server, whose restarts users would feel. */
const PARTS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const

export type Parts = Readonly<Partial<Record<(typeof PARTS)[number], string>>>

/** Of proc_pid_stat(5): when the process was started. */
const START_TIME = 22

/** Which processes k3s' parts are now, each by its id and its start: a pid may come again. */
export function partsOf(lab: Lab, host: HostName): Parts {
  const parts: Partial<Record<(typeof PARTS)[number], string>> = {}
  for (const pid of unitProcesses(labObjects(lab.name).hosts[host], 'k3s.service', false)) {
    const name = PARTS.find((part) => readProcess(pid, 'cmdline').split('\0')[0] === part)
    const start = statField(pid, START_TIME)
    if (name !== undefined && start !== undefined) parts[name] = `${pid} since ${start}`
  }
  return parts
}

/** Where each part serves what is asked of its health. */
const PART_PORTS: Readonly<Record<(typeof PARTS)[number], number>> = {
  'kube-apiserver': 6443,
  'kube-controller-manager': 10257,
  'kube-scheduler': 10259,
}

/**
 * True while each of the parts of a host's Kubernetes server runs and serves. One that has only just
 * begun asks the API server for its settings first, and ends k3s when it gets no answer.
 */
export function allPartsServe(lab: Lab, host: HostName): boolean {
  const parts = partsOf(lab, host)
  return PARTS.every((part) => {
    const pid = Number.parseInt(parts[part] ?? '0', 10)
    return ['net/tcp', 'net/tcp6'].some((file) => listens(readProcess(pid, file), PART_PORTS[part]))
  })
}

/** Of proc_pid_net_tcp(5): `sl: address:port remote state`, hexadecimal; 0A is LISTEN. */
function listens(table: string, port: number): boolean {
  const ends = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table.split('\n').some((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    return state === '0A' && local.endsWith(ends)
  })
}

/** Why k3s gave up on a host since then, in its own last words: one line of its journal each. */
export async function fatalWords(lab: Lab, host: HostName, since: number): Promise<string[]> {
  const from = `--since=@${(since / 1000).toFixed(3)}`
  const argv = ['journalctl', '--unit=k3s.service', '--output=cat', '--no-pager', from]
  const { stdout } = await lab.exec(host, [...argv, '--grep=level=fatal|eaderelection lost'])
  return stdout.split('\n').filter((line) => line !== '')
}

/** What kine and k3s said last on a host, for a person who asks why it does not serve; nothing of one that is off. */
export async function lastWords(lab: Lab, host: HostName): Promise<string[]> {
  if (findInit(labObjects(lab.name).hosts[host]) === undefined) return []
  const said = ['kine.service', 'k3s.service'].map(async (unit) => {
    const argv = ['journalctl', `--unit=${unit}`, '--output=short-iso-precise', '--no-pager']
    const { stdout } = await lab.exec(host, [...argv, '--lines=8'])
    return stdout.trimEnd().split('\n')
  })
  return (await Promise.all(said)).flat()
}

/** The parts that are other processes than before, or gone. */
export function restarted(before: Parts, after: Parts): string[] {
  return PARTS.filter((part) => before[part] !== after[part])
}
