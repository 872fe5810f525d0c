import { TwonodeError } from '../core/errors.ts'
import type { Event, StepEvent } from '../core/events.ts'
import { isObject, type JsonObject, parseJson } from '../core/json.ts'
import { compileSites, playbookNamed, type PlaybookSource } from './compile_sites.ts'
import type { RunFlags } from './run_flags.ts'
import { runSites } from './run_sites.ts'
import {
  type BootState,
  type HostState,
  type MajorState,
  type NodeState,
  packagesIn,
  versionIn,
} from './upgrade_plan.ts'
import type { World } from './world.ts'

/** Reads only; what can't be asked is not known. */
const QUESTIONS = `- name: What the hosts run
  hosts: all
  tasks:
    - name: kine
      artifact: { path: /usr/local/bin/kine, source: '{{ site.kine.binary }}' }
    - name: k3s
      artifact: { path: /usr/local/bin/k3s, source: '{{ site.k3s.binary }}' }
    - name: kine's version
      assert: { command: [/usr/local/bin/kine, --version], that: ['true'] }
    - name: k3s' version
      assert: { command: [/usr/local/bin/k3s, --version], that: ['true'] }
    - name: PostgreSQL's packages
      assert:
        command: [apt-get, --simulate, --quiet, --only-upgrade, install, 'postgresql-{{ site.postgres.version }}', 'postgresql-client-{{ site.postgres.version }}']
        that: ['true']
    - name: all packages
      assert: { command: [apt-get, --simulate, --quiet, --with-new-pkgs, upgrade], that: ['true'] }
    - name: PostgreSQL's size
      assert:
        sql: { database: '{{ site.postgres.database }}', query: select pg_database_size(current_database())::text as bytes }
        that: ['true']
    - name: PostgreSQL's room
      assert: { command: [df, --output=avail, -B1, /var/lib/postgresql], that: ['true'] }
    - name: time since boot
      assert: { command: [cat, /proc/uptime, /proc/sys/kernel/random/boot_id, /proc/1/stat], that: ['true'] }
    - name: packages changed
      assert: { command: [stat, '--format=%Y', /var/lib/dpkg/status, /run/reboot-required], that: ['true'] }
    - name: half installed
      assert: { command: [dpkg, --audit], that: ['true'] }
    - name: the clock
      assert: { command: [date, '+%s'], that: ['true'] }
    - name: the agent
      assert: { command: [/usr/local/bin/twonode, status, --json], that: ['true'] }
    - name: the node
      assert:
        command: [/usr/local/bin/k3s, kubectl, --request-timeout=10s, get, node, '{{ host.name }}', -o, json]
        that: ['true']
`

/** A host, and what else steps go by. */
export interface LookedHost extends HostState {
  readonly status: JsonObject
  readonly bootId: string
}

/** On a node from before it is drained until it is taken back: a run that goes on has no memory but this. */
export const DRAINED_MARK = 'twonode.dev/drained-by'

interface LookParts {
  readonly flags: RunFlags
  /** See `compileSites`. */
  readonly postgres: ReadonlyMap<string, number>
  readonly world: World
  readonly emit: (event: Event) => void
}

/** Looks at all hosts that can be reached. */
export async function lookAtHosts(parts: LookParts): Promise<readonly LookedHost[]> {
  const source: PlaybookSource = { kind: 'text', text: QUESTIONS, name: 'upgrade' }
  const serving = new Map<string, number>()
  const steps = await stepsOf(source, parts, serving)
  return [...steps].map(([name, own]) => hostOf(name, own, serving.get(name) ?? null))
}

/** What verify.yaml finds on one host: sentences; nothing is a healthy one. */
export async function findingsOn(host: string, parts: LookParts): Promise<readonly string[]> {
  const { flags, world } = parts
  const source = playbookNamed(undefined, world, 'verify.yaml')
  const steps = await stepsOf(source, { ...parts, flags: { ...flags, limit: [host] } })
  const own = steps.get(host)
  if (own === undefined) return [`${host} can not be looked at`]
  return own.flatMap(({ status, task, trouble, reason }) =>
    status === 'ok' || status === 'skipped' ? [] : [trouble?.message ?? reason ?? task],
  )
}

async function stepsOf(
  source: PlaybookSource,
  { flags, postgres, world, emit }: LookParts,
  serving?: Map<string, number>,
): Promise<ReadonlyMap<string, readonly StepEvent[]>> {
  const selection = { ...flags, postgres, tags: [] }
  const sites = await compileSites(source, selection, world)
  const steps = new Map<string, StepEvent[]>()
  const hear = (event: Event) => {
    if (event.event === 'step') steps.set(event.host, [...(steps.get(event.host) ?? []), event])
    if (event.event === 'hello' && event.postgresMajor !== undefined)
      serving?.set(event.host, event.postgresMajor)
    if (event.event === 'progress') emit(event)
  }
  const mode = { check: true, lookOnly: true, report: true }
  await runSites(sites, { flags: selection, mode, emit: hear }, world)
  return steps
}

function hostOf(name: string, steps: readonly StepEvent[], serves: number | null): LookedHost {
  const step = (task: string) => steps.find((one) => one.task === task)
  const words = (task: string): string | null => {
    const { code, stdout } = step(task)?.result ?? {}
    return code === 0 && typeof stdout === 'string' ? stdout : null
  }
  const program = (task: 'kine' | 'k3s', version: string) => ({
    current: step(task)?.status === 'ok',
    version: versionIn(words(version) ?? ''),
  })
  const packages = (task: string) => {
    const said = words(task)
    return said === null ? null : packagesIn(said)
  }
  const said = parseJson(words('the agent') ?? '')
  const status = isObject(said) ? (said as JsonObject) : {}
  const [uptime = '', bootId = '', first = ''] = (words('time since boot') ?? '').split('\n')
  const since = upMs(uptime, first)
  return {
    name,
    leads: status['role'] === 'leader',
    kine: program('kine', "kine's version"),
    k3s: program('k3s', "k3s' version"),
    postgresPackages: packages("PostgreSQL's packages"),
    packages: packages('all packages'),
    upMs: since,
    dpkgCut: (words('half installed') ?? '') !== '',
    boot: bootIn(step('packages changed')?.result ?? {}, Number(words('the clock')) * 1000, since),
    status,
    bootId,
    node: nodeIn(step('the node')?.result ?? {}),
    postgres: {
      serves,
      size: sizeIn(step("PostgreSQL's size")?.result ?? {}),
      room: numberOf(words("PostgreSQL's room")?.split('\n')[1]?.trim()),
      ...saidOf(status),
    },
  }
}

/** What its agent says of PostgreSQL. */
function saidOf({
  postgresMajor: site,
  keptAside,
}: JsonObject): Pick<MajorState, 'site' | 'keptAside'> {
  const kept = Array.isArray(keptAside) ? keptAside.filter((one) => typeof one === 'string') : []
  return { site: typeof site === 'number' ? site : null, keptAside: kept }
}

function sizeIn({ rows }: JsonObject): number | null {
  const [row] = Array.isArray(rows) ? rows : []
  return isObject(row) ? numberOf(row['bytes']) : null
}

function numberOf(text: unknown): number | null {
  return typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : null
}

/** Of proc_pid_stat(5), counted behind the name: when the process was started. @unit hundredths of a second */
const START_TIME = 20

/** Pure: of `kubectl get node -o json`, or of how it failed. */
export function nodeIn({ code, stdout, stderr }: JsonObject): NodeState {
  if (code !== 0)
    return typeof stderr === 'string' && stderr.includes('(NotFound)') ? 'none' : 'unknown'
  const node = typeof stdout === 'string' ? parseJson(stdout) : undefined
  const { metadata, spec } = isObject(node) ? node : {}
  if (!isObject(metadata) || !isObject(spec)) return 'unknown'
  const { annotations } = metadata
  if (isObject(annotations) && DRAINED_MARK in annotations) return 'drained'
  return spec['unschedulable'] === true ? 'cordoned' : 'there'
}

/** Pure: of when dpkg wrote last and, if a package asks for a boot, of that one's file. */
export function bootIn(
  { stdout }: JsonObject,
  nowMs: number,
  sinceBootMs: number | null,
): BootState {
  const times = typeof stdout === 'string' ? stdout.split('\n').filter(Boolean).map(Number) : []
  const [changed = 0, asked] = times
  if (asked !== undefined) return 'asked-for'
  return sinceBootMs !== null && changed * 1000 > nowMs - sinceBootMs ? 'packages-changed' : 'none'
}

/** Since systemd was started: in a container the kernel's own boot is another's. */
function upMs(uptime: string, first: string): number | null {
  const seconds = Number(uptime.split(' ', 1)[0])
  const started = Number(first.slice(first.lastIndexOf(')') + 1).split(' ')[START_TIME])
  const ms = seconds * 1000 - started * 10
  return uptime === '' || !Number.isFinite(ms) ? null : ms
}

/** The pair, and what Kubernetes says of its nodes, as a gate wants it; undefined: it is well. */
export function whyNotReady(hosts: readonly LookedHost[]): string | undefined {
  const unknown = hosts.find(({ node }) => node === 'unknown')
  const why = unknown && `Kubernetes does not say what node ${unknown.name} is`
  return whyNotWhole(hosts) ?? why
}

/** The pair as a gate wants it; undefined: it is well. */
export function whyNotWhole(
  hosts: readonly Pick<LookedHost, 'name' | 'leads' | 'status'>[],
): string | undefined {
  const leader = hosts.find(({ leads }) => leads)
  const follower = hosts.find(({ leads }) => !leads)
  if (leader === undefined || follower === undefined)
    return `one host leads and one follows: ${hosts.map(({ name }) => name).join(' and ') || 'none'} could be looked at`
  const [ours, theirs] = [leader.status, follower.status]
  if (ours['mode'] !== 'paired') return `${leader.name} leads alone`
  if (ours['settled'] !== 'yes') return `${leader.name} settles`
  if (ours['stream'] !== 'caught-up') return `${follower.name} is behind`
  if (theirs['settled'] !== 'yes') return `${follower.name} settles`
  return theirs['promotable'] === true ? undefined : `${follower.name} has no proof yet`
}

/** Whether a host that was told to boot has done so; undefined: it has, and its agent answers. */
export function whyNotBooted(
  name: string,
  before: string,
  host: Pick<LookedHost, 'bootId' | 'status'> | undefined,
): string | undefined {
  if (host === undefined || host.bootId === '') return `${name} boots, or does not come back`
  if (host.bootId === before) return `${name} has not gone down yet`
  return host.status['role'] === undefined ? `${name} is back, and its agent not yet` : undefined
}

/** One of them. */
export function named(hosts: readonly LookedHost[], name: string): LookedHost {
  const host = hosts.find((one) => one.name === name)
  if (host === undefined) throw new Error(`${name} was not looked at`)
  return host
}

/** Refuses a site of which a host can't be looked at. */
export function bothOf(hosts: readonly LookedHost[]): readonly LookedHost[] {
  if (hosts.length === 2) return hosts
  throw new TwonodeError('E_UNREACHABLE', 'an upgrade takes both hosts', {
    hint: 'Bring the other one back first: with one host there is nobody to hand over to.',
  })
}
