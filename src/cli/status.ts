import { setTimeout } from 'node:timers/promises'
import { EXIT, type ExitCode } from '../core/errors.ts'
import type { HelloEvent, StepEvent } from '../core/events.ts'
import type { Json } from '../core/json.ts'
import type { Plan } from '../core/plan.ts'
import { type CommandRun, flagOption } from './command.ts'
import { compileSites, playbookNamed, type ReadySite } from './compile_sites.ts'
import { worstExit } from './exit_code.ts'
import { AGENT_SAYS, agentSays, hostViews } from './host_view.ts'
import { look, type Seen } from './look.ts'
import { hostMetaOf } from './pair_state.ts'
import { type PairStanding, pairStanding } from './pair_standing.ts'
import { readRunFlags } from './run_flags.ts'
import { guardedWorld } from './run_sites.ts'
import { statusTable } from './status_table.ts'
import type { World } from './world.ts'

/** What is known of one host. A missing key: it does not apply. Null: it could not be found out. */
export type HostStatus = Readonly<Record<string, Json>>

/** A site at a glance; the shape of `--json`. */
export interface SiteStatus {
  readonly site: string
  /** How the pair stands, as one word and as a sentence. */
  readonly standing: PairStanding['kind']
  readonly verdict: string
  readonly hosts: Readonly<Record<string, HostStatus>>
}

/** `twonode status`: roles from hostMeta, the rest from the read-only tasks of status.yaml. */
export const status: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const sites = await compileSites(playbookNamed(undefined, world, 'status.yaml'), flags, world)
  const guarded = guardedWorld(world, sites)
  const asJson = flagOption(invocation, 'json')
  const text = (all: readonly SiteStatus[]) =>
    asJson ? all.map((one) => `${JSON.stringify(one)}\n`).join('') : all.map(statusTable).join('\n')
  const lookOnce = async () => {
    const seen = await look(sites, flags, guarded)
    const all = sites.map((site) => siteStatus(site, seen))
    // A service that does not answer is what status is for; verify judges it.
    const exits = [lookedExit(sites, seen), ...all.map(({ standing }) => standingExit(standing))]
    return { text: text(all), exit: worstExit(exits) }
  }
  if (flagOption(invocation, 'watch')) return await watch(lookOnce, { world: guarded, asJson })
  const once = await lookOnce()
  guarded.stdout.write(once.text)
  return once.exit
}

/** Between the end of a look and the next one. @unit milliseconds */
const WATCH_MS = 2_000

/** Clears the terminal and goes to its first line. */
const CLEAR = '\u001B[2J\u001B[H'

/** Looks until someone presses Ctrl-C; a look that fails is shown, and does not end it. */
async function watch(
  lookOnce: () => Promise<{ readonly text: string; readonly exit: ExitCode }>,
  { world, asJson }: { readonly world: World; readonly asJson: boolean },
): Promise<ExitCode> {
  const over = new AbortController()
  const dispose = world.onInterrupt(() => over.abort())
  try {
    while (!over.signal.aborted) {
      const { text } = await lookOnce()
      const inPlace = world.stdout.isTerminal && !asJson
      world.stdout.write(inPlace ? `${CLEAR}${text}` : text)
      await setTimeout(WATCH_MS, undefined, { signal: over.signal }).catch(() => {})
    }
    return EXIT.done
  } finally {
    dispose()
  }
}

/**
 * The exit code of a command that only shows: what a task of it met is shown, not judged. A host that
 * never got as far as its hello has shown nothing.
 */
export function lookedExit(
  sites: readonly ReadySite[],
  { hellos, exitCode }: Pick<Seen, 'hellos' | 'exitCode'>,
): ExitCode {
  const names = sites.flatMap(({ participants }) => participants.map(({ name }) => name))
  if (names.some((name) => !hellos.has(name))) return exitCode
  return exitCode === EXIT.failed || exitCode === EXIT.wouldChange ? EXIT.done : exitCode
}

/** A pair that nobody leads, or both do, is no success for a script that asks how it is. */
function standingExit(standing: PairStanding['kind']): ExitCode {
  return standing === 'nobody' || standing === 'both' ? EXIT.failed : EXIT.done
}

/** What status.yaml asks: which task is which line of the table. */
interface Asked {
  readonly plan: Plan
  readonly registers: ReadonlyMap<string, string>
}

function siteStatus({ compiled, participants, inventory }: ReadySite, seen: Seen): SiteStatus {
  const { plan } = compiled
  const steps = plan.plays.flatMap((play) => play.steps)
  const registers = new Map(steps.map(({ name, register }) => [name, register ?? name]))
  const entries = participants.map(({ name }) => {
    const hello = seen.hellos.get(name)
    if (hello === undefined) return [name, { reachable: false }] as const
    return [name, hostStatus(hello, seen.steps.get(name) ?? [], { plan, registers })] as const
  })
  const { kind, text } = pairStanding(hostViews(inventory.site, participants, seen))
  return {
    site: plan.site.name,
    standing: kind,
    verdict: text,
    hosts: Object.fromEntries(entries),
  }
}

function hostStatus(
  hello: HelloEvent,
  steps: readonly StepEvent[],
  { plan: { site }, registers }: Asked,
): HostStatus {
  const meta = hello.hostMeta === null ? undefined : hostMetaOf(site, hello.hostMeta)
  const known =
    meta === undefined || typeof meta === 'string'
      ? { role: null, mode: null, term: null, branch: null }
      : {
          role: meta.leader === hello.host ? 'leader' : 'follower',
          mode: meta.mode,
          term: meta.term,
          branch: meta.branch,
        }
  const found = steps.flatMap(({ task, result, status: how, module }) => {
    const register = registers.get(task)
    if (register === undefined || register === AGENT_SAYS || how === 'skipped') return []
    const value = how === 'failed' ? null : valueOf(module, result)
    return [[register, register === VIRTUAL_IP ? addressIn(value) : value] as const]
  })
  const says = agentSays(steps)
  const held =
    says === undefined
      ? {}
      : {
          paused: says.paused,
          ...(says.pauseEnds === null ? {} : { pauseEnds: says.pauseEnds }),
          frozen: says.frozen,
          impaired: says.impaired,
        }
  return { reachable: true, ...known, ...held, ...Object.fromEntries(found) }
}

/** What the task of status.yaml registers that asks `ip` for the virtual address. */
const VIRTUAL_IP = 'virtualIp'

/** Of a line of `ip -br address` the address: the interface's name and state are ip's matter. */
function addressIn(line: Json): string | null {
  const words = typeof line === 'string' ? line.split(/\s+/) : []
  return words.find((word) => word.includes('/'))?.replace(/\/.*/, '') ?? null
}

/** What a task of status.yaml found: the first row of its query, or what its command said. */
function valueOf(module: string, result: StepEvent['result']): Json {
  if (module !== 'assert' || result === undefined) return null
  const { rows, stdout } = result
  if (Array.isArray(rows) && rows.length > 0) {
    const [row] = rows as readonly Json[]
    if (typeof row !== 'object' || row === null) return row ?? null
    const values = Object.values(row) as readonly Json[]
    return values.length === 1 ? (values[0] ?? null) : row
  }
  const text = typeof stdout === 'string' ? stdout.trim() : ''
  return text === '' ? null : text
}
