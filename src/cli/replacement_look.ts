import type { Event, HelloEvent, StepEvent } from '../core/events.ts'
import { isObject, parseJson } from '../core/json.ts'
import { compileSites } from './compile_sites.ts'
import type { AgentSays, HostSight, Replacement, Sight } from './judge_replacement.ts'
import type { RunFlags } from './run_flags.ts'
import { runSites } from './run_sites.ts'
import type { ExitCode, Trouble } from '../core/errors.ts'
import type { World } from './world.ts'

/** Reads only. On a bare host both questions fail, which is an answer. */
const QUESTIONS = `- name: What both hosts are
  hosts: all
  tasks:
    - name: What the agent says
      assert: { command: [/usr/local/bin/twonode, status, --json], that: ['true'] }
      register: agent
    - name: What the table of kine holds
      assert:
        sql: { database: '{{ site.postgres.database }}', query: select count(*)::int as rows from public.kine }
        that: ['true']
      register: kine
`

/** A look at both hosts: what they are, or with which exit code one could not be looked at. */
export type Looked =
  | { readonly kind: 'seen'; readonly sight: Sight }
  | { readonly kind: 'unseen'; readonly exitCode: ExitCode }

/** Looks at both hosts. What goes wrong is told to `emit`, with what it means for a replacement. */
export async function lookAtBoth(
  replacement: Replacement,
  { flags, emit }: { readonly flags: RunFlags; readonly emit: (event: Event) => void },
  world: World,
): Promise<Looked> {
  const { site, host, survivor } = replacement
  const source = { kind: 'text', text: QUESTIONS, name: 'replace' } as const
  const selection = { ...flags, sites: [site.name], tags: [] }
  const sites = await compileSites(source, selection, world)
  const hellos = new Map<string, HelloEvent>()
  const steps: StepEvent[] = []
  const hear = (event: Event) => {
    if (event.event === 'hello') hellos.set(event.host, event)
    if (event.event === 'step') steps.push(event)
    if (event.event === 'progress') emit(event)
    // The run's own remarks are about a pair; those of a connection are about its host.
    if (event.event === 'note' && event.host !== undefined) emit(event)
    if (event.event === 'trouble')
      emit({ ...event, trouble: forReplacement(replacement, event.host, event.trouble) })
  }
  const mode = { check: true, lookOnly: true, report: true }
  const exitCode = await runSites(sites, { flags, mode, emit: hear }, world)
  const sightOf = (name: string): HostSight | undefined => {
    const hello = hellos.get(name)
    const own = steps.filter((step) => step.host === name)
    return hello && { hostMeta: hello.hostMeta, agent: agentOf(own), kineRows: rowsOf(own) }
  }
  const [stays, comes] = [sightOf(survivor), sightOf(host)]
  if (stays === undefined || comes === undefined) return { kind: 'unseen', exitCode }
  return { kind: 'seen', sight: { survivor: stays, newcomer: comes } }
}

/** What a host's trouble means here, where one is another machine than the laptop knows. */
function forReplacement(
  { host, address, survivor }: Replacement,
  about: string | undefined,
  trouble: Trouble,
): Trouble {
  if (about === survivor && trouble.code === 'E_UNREACHABLE')
    return {
      ...trouble,
      hint: `Only ${survivor} can take another host in, while it leads alone: nothing was changed.`,
    }
  if (about !== host) return trouble
  if (trouble.code === 'E_UNREACHABLE')
    return {
      ...trouble,
      hint: `The new ${host} has to be up, with sshd, at ${address}: nothing was changed.`,
    }
  if (trouble.code !== 'E_HOST_KEY') return trouble
  const forget = trouble.message.includes('host key changed')
    ? `A new machine has a new key. Compare the one that it shows with its console, remove the line named (\`ssh-keygen -R ${address}\`), and run this again with --accept-new-host-keys`
    : 'Compare it with the console of the new machine, and run this again with --accept-new-host-keys'
  return { ...trouble, hint: `${forget}: here that is for ${host} alone.` }
}

function agentOf(steps: readonly StepEvent[]): AgentSays | null {
  const text = resultOf(steps, 'agent')?.['stdout']
  const said = typeof text === 'string' ? parseJson(text) : undefined
  if (!isObject(said)) return null
  const { mode, peer, settled, promotable, stream } = said
  return {
    mode: mode === 'paired' || mode === 'alone' ? mode : null,
    peer: String(peer),
    settled: String(settled),
    promotable: promotable === true,
    stream: String(stream),
  }
}

function rowsOf(steps: readonly StepEvent[]): number | null {
  const rows = resultOf(steps, 'kine')?.['rows']
  const [row] = Array.isArray(rows) ? (rows as readonly unknown[]) : []
  const count = isObject(row) ? row['rows'] : undefined
  return typeof count === 'number' ? count : null
}

function resultOf(steps: readonly StepEvent[], name: string): StepEvent['result'] {
  return steps.find(({ register }) => register === name)?.result
}
