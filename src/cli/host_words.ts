import {
  type ErrorKind,
  ERRORS,
  type ExitCode,
  type Trouble,
  TwonodeError,
} from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../core/json.ts'
import { compileSites } from './compile_sites.ts'
import type { RunFlags } from './run_flags.ts'
import { runSites } from './run_sites.ts'
import type { World } from './world.ts'

/** What one host's own command line answered. */
export interface HostWords {
  /** Its lines, as `--json` has them. */
  readonly lines: readonly JsonObject[]
  /** Why it refused. */
  readonly refusal?: TwonodeError
  /** Its output was longer than what a run brings: the last line is torn, and left out. */
  readonly cut?: boolean
}

export interface HostWordsOf {
  /** By host; one that could not be reached is missing. */
  readonly hosts: ReadonlyMap<string, HostWords>
  readonly exitCode: ExitCode
}

/** A command of the hosts' own command line. */
export interface HostQuestion {
  readonly words: readonly string[]
  /** Told what is no answer: a host that can not be reached, a wait for its lock. */
  readonly emit: (event: Event) => void
}

/**
 * Runs one command of the hosts' own command line on each host that is chosen, and gives its words. The
 * agent does what is done, by its own rules and in its own time: this run changes nothing itself, and takes
 * no lock, which the agent would have to wait for, or a converge that hangs may hold.
 */
export async function askHosts(
  { words, emit }: HostQuestion,
  flags: RunFlags,
  world: World,
): Promise<HostWordsOf> {
  const argv = ['/usr/local/bin/twonode', ...words, '--json']
  const text = `- name: The agents
  hosts: all
  tasks:
    - name: The agent is asked
      assert: { command: ${JSON.stringify(argv)}, that: ['true'] }
      register: said
`
  const selection = { ...flags, tags: [] }
  const sites = await compileSites({ kind: 'text', text, name: words[0] ?? '' }, selection, world)
  const hosts = new Map<string, HostWords>()
  const hear = (event: Event) => {
    if (event.event === 'step') hosts.set(event.host, wordsOf(event.result, event.trouble))
    else if (event.event === 'trouble' || event.event === 'progress' || isAboutHost(event))
      emit(event)
  }
  const mode = { check: true, lookOnly: true, report: true }
  const exitCode = await runSites(sites, { flags: selection, mode, emit: hear }, world)
  return { hosts, exitCode }
}

/** The run's own remarks are about a converge. */
function isAboutHost(event: Event): boolean {
  return event.event === 'note' && event.host !== undefined
}

function wordsOf(result: JsonObject | undefined, trouble: Trouble | undefined): HostWords {
  if (trouble !== undefined)
    return { lines: [], refusal: new TwonodeError('E_FAILED', trouble.message, trouble) }
  const { code, stdout, stderr } = result ?? {}
  const lines = typeof stdout === 'string' ? stdout.split('\n').map(parseJson) : []
  const words = lines.filter((line): line is JsonObject => isObject(line))
  const cut = typeof stdout === 'string' && stdout !== '' && !stdout.endsWith('\n')
  return code === 0 ? { lines: words, cut } : { lines: words, refusal: refusalOf(stderr) }
}

/** A host's command line writes `E_CODE: message` and then a hint; in its own words it is passed on. */
function refusalOf(stderr: Json | undefined): TwonodeError {
  const said = typeof stderr === 'string' ? stderr.trim() : ''
  const [, code = '', words = '', hint = ''] = /^(E_[A-Z_]+): (.*)\n?\s*([^]*)$/.exec(said) ?? []
  if (!(code in ERRORS))
    return new TwonodeError('E_FAILED', said === '' ? 'no agent answers' : said)
  return new TwonodeError(code as ErrorKind, words, hint === '' ? {} : { hint })
}

/** What a line says to a person. */
export function messageIn({ message }: JsonObject): string {
  return typeof message === 'string' ? message : ''
}
