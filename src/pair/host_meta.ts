import { parse } from 'yaml'
import { TwonodeError, firstLineOf } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import { FORMATS, judgeFormat } from './formats.ts'
import type { Began, ForkPoint, Mode, PairState, Role } from '../core/site.ts'

/**
 * hostMeta: the small file on each host that decides roles, term, branch and mode, and nothing else.
 * Names, addresses and settings come from the inventory; those here are a copy for the agents, which
 * have no inventory.
 */
export interface HostMeta {
  readonly format: number
  readonly site: string
  /** Raised by one with each promotion, switchover or change of mode. */
  readonly term: number
  /** The term of the last change of leader. */
  readonly branch: number
  readonly mode: Mode
  readonly leader: string
  /** The follower's slot on the leader; null while there is none. */
  readonly slot: string | null
  /** How the branch began. */
  readonly began: Began
  /** Where it left the branch that it continues; null until its leader has written its marker. */
  readonly fork: ForkPoint | null
  readonly hosts: readonly HostEntry[]
  /** address:port under which the Kubernetes API is reached. */
  readonly controlPlaneEndpoint: string
  /** ISO time. Recorded and shown, never compared: clocks at the edge lie. */
  readonly lastModified: string
}

export interface HostEntry {
  readonly name: string
  readonly address: string
  readonly role: Role
}

/** Of the file, as {@link FORMATS} has it: agents show each other theirs. */
export const HOST_META_FORMAT = FORMATS.speaks

/** Name of the file in a site's state directory. */
export const HOST_META_FILE = 'host-meta.yaml'

/**
 * The hostMeta that a file holds. Strict: a hostMeta that is torn, or someone else's, must never decide
 * a role.
 * @throws TwonodeError E_ROLES with what is wrong
 */
export function parseHostMeta(text: string): HostMeta {
  const parsed = parseYaml(text)
  const problem = problemOf(parsed)
  if (problem !== undefined) throw broken(problem)
  // The checks above are what makes the cast honest.
  return parsed as HostMeta
}

/** The pair's state that a hostMeta records. */
export function pairStateOf(meta: HostMeta): PairState {
  const { leader, term, branch, mode, slot, began, fork } = meta
  return { leader, term, branch, mode, slot, began, fork }
}

/**
 * Who is right when two hosts disagree: the higher branch, then term, then leader's name. Counting and
 * not clocks; a promoted host beats one that only went alone. 0 when they agree in all three.
 */
export function compareHostMeta(
  a: Pick<HostMeta, 'branch' | 'term' | 'leader'>,
  b: Pick<HostMeta, 'branch' | 'term' | 'leader'>,
): number {
  if (a.branch !== b.branch) return a.branch - b.branch
  if (a.term !== b.term) return a.term - b.term
  if (a.leader === b.leader) return 0
  return a.leader > b.leader ? 1 : -1
}

/**
 * The hostMeta that both hosts should have. Of two that are equally high the one that knows the fork
 * point wins: its leader has written the branch's marker since. Else the text decides.
 */
export function winner(a: HostMeta, b: HostMeta): HostMeta {
  const order = compareHostMeta(a, b)
  if (order !== 0) return order > 0 ? a : b
  if ((a.fork === null) !== (b.fork === null)) return a.fork === null ? b : a
  return serialiseHostMeta(a) >= serialiseHostMeta(b) ? a : b
}

/** True when the two say the same of the pair, whenever they were written. */
export function sameHostMeta(a: HostMeta, b: HostMeta): boolean {
  // Asked several times a round, and mostly of one and the same.
  if (a === b) return true
  return (
    serialiseHostMeta({ ...a, lastModified: '' }) === serialiseHostMeta({ ...b, lastModified: '' })
  )
}

/** The file's text: the same for the same hostMeta, to the byte. */
export function serialiseHostMeta(meta: HostMeta): string {
  const hosts = meta.hosts.flatMap(({ name, address, role }) => [
    `  - name: ${quote(name)}`,
    `    address: ${quote(address)}`,
    `    role: ${role}`,
  ])
  const lines = [
    '# Decides who leads. Written by twonode; do not edit while an agent runs.',
    `format: ${meta.format}`,
    `site: ${quote(meta.site)}`,
    `term: ${meta.term}`,
    `branch: ${meta.branch}`,
    `mode: ${meta.mode}`,
    `leader: ${quote(meta.leader)}`,
    `slot: ${meta.slot === null ? 'null' : quote(meta.slot)}`,
    `began: ${meta.began}`,
    ...forkLines(meta.fork),
    'hosts:',
    ...hosts,
    `controlPlaneEndpoint: ${quote(meta.controlPlaneEndpoint)}`,
    `lastModified: ${quote(meta.lastModified)}`,
  ]
  return `${lines.join('\n')}\n`
}

function forkLines(fork: ForkPoint | null): readonly string[] {
  if (fork === null) return ['fork: null']
  return [
    'fork:',
    `  from: ${fork.from}`,
    `  slot: ${fork.slot === null ? 'null' : quote(fork.slot)}`,
    `  lsn: ${fork.lsn === null ? 'null' : quote(fork.lsn)}`,
    `  count: ${fork.count}`,
    `  sum: ${quote(fork.sum)}`,
    `  max: ${fork.max}`,
    `  compactRevision: ${fork.compactRevision}`,
  ]
}

const KEYS = [
  'format',
  'site',
  'term',
  'branch',
  'mode',
  'leader',
  'slot',
  'began',
  'fork',
  'hosts',
  'controlPlaneEndpoint',
  'lastModified',
] as const

function parseYaml(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 })
  } catch (error) {
    throw broken(firstLineOf(error))
  }
}

function problemOf(parsed: unknown): string | undefined {
  if (parsed === null || parsed === undefined) return 'it is empty'
  if (!isObject(parsed)) return 'it is no mapping'
  const format = parsed['format']
  if (judgeFormat(format) !== 'read')
    return `its format is ${JSON.stringify(format) ?? 'missing'}, not ${HOST_META_FORMAT}`
  const missing = KEYS.find((key) => !(key in parsed))
  if (missing !== undefined) return `'${missing}' is missing: it was torn, or is someone else's`
  const unknown = Object.keys(parsed).find((key) => !(KEYS as readonly string[]).includes(key))
  if (unknown !== undefined) return `'${unknown}' is no key of it`
  return scalarProblem(parsed) ?? beginningProblem(parsed) ?? hostsProblem(parsed)
}

function scalarProblem(parsed: Record<string, unknown>): string | undefined {
  const { term, branch, mode, slot } = parsed
  for (const key of ['site', 'leader', 'controlPlaneEndpoint', 'lastModified'] as const)
    if (typeof parsed[key] !== 'string') return `'${key}' is no text`
  if (!isCount(term)) return "'term' is no whole number from 1"
  if (!isCount(branch)) return "'branch' is no whole number from 1"
  if (branch > term) return `the branch (${branch}) is higher than the term (${term})`
  if (mode !== 'paired' && mode !== 'alone') return "'mode' is neither paired nor alone"
  if (slot !== null && typeof slot !== 'string') return "'slot' is neither text nor null"
  return undefined
}

function beginningProblem({ began, fork, branch }: Record<string, unknown>): string | undefined {
  if (began !== 'first' && began !== 'promotion' && began !== 'handover')
    return "'began' is none of first, promotion and handover"
  if ((began === 'first') !== (branch === 1))
    return `branch ${String(branch)} did not begin as '${began}'`
  if (fork === null) return undefined
  if (began === 'first') return "the first branch continues none: 'fork' is not null"
  return isForkPoint(fork, Number(branch)) ? undefined : "'fork' is no fork point"
}

/** @source https://www.postgresql.org/docs/15/datatype-pg-lsn.html */
const LSN = /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i

function isForkPoint(fork: unknown, branch: number): fork is ForkPoint {
  if (!isObject(fork)) return false
  const { from, slot, lsn, count, sum, max, compactRevision, ...rest } = fork
  return (
    isCount(from) &&
    from < branch &&
    (slot === null || typeof slot === 'string') &&
    (lsn === null || (typeof lsn === 'string' && LSN.test(lsn))) &&
    [count, max, compactRevision].every(isFromZero) &&
    typeof sum === 'string' &&
    /^[0-9]+$/.test(sum) &&
    Object.keys(rest).length === 0
  )
}

function hostsProblem({ hosts, leader }: Record<string, unknown>): string | undefined {
  if (!Array.isArray(hosts) || hosts.length !== 2) return "'hosts' does not list two hosts"
  const entries: readonly unknown[] = hosts
  if (!entries.every(isEntry))
    return "a host's entry needs name, address and role, and nothing else"
  const [first, second] = entries
  if (first?.name === second?.name) return 'both hosts have the same name'
  const leaders = entries.filter(({ role }) => role === 'leader')
  if (leaders.length !== 1) return `${leaders.length} hosts lead`
  return leaders[0]?.name === leader ? undefined : "'leader' is not the host whose role is leader"
}

function isEntry(entry: unknown): entry is HostEntry {
  if (!isObject(entry)) return false
  const { name, address, role, ...rest } = entry
  return (
    typeof name === 'string' &&
    typeof address === 'string' &&
    (role === 'leader' || role === 'follower') &&
    Object.keys(rest).length === 0
  )
}

function isCount(value: unknown): value is number {
  return isFromZero(value) && value >= 1
}

function isFromZero(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** JSON's quoting is YAML's double quoting. */
function quote(text: string): string {
  return JSON.stringify(text)
}

function broken(reason: string): TwonodeError {
  return new TwonodeError('E_ROLES', `this is no hostMeta: ${reason}`)
}
