import { setTimeout } from 'node:timers/promises'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import {
  type Begun,
  begunFrom,
  judgeSwitchover,
  proofText,
  type SwitchoverVerdict,
} from '../pair/switchover.ts'
import { askHosts, type HostWordsOf } from './host_words.ts'
import type { RunFlags } from './run_flags.ts'
import type { Teller } from './switchover.ts'
import type { World } from './world.ts'

/** Between two looks. @unit milliseconds */
const LOOK_EVERY_MS = 500

/** A hand-over takes a second or two, and the pair some more; the agents go on by themselves. @unit milliseconds */
const FOLLOWED_MS = 90_000

/** More than an agent writes between two looks. */
const NEWEST = '60'

export interface SwitchoverWanted {
  /** Undefined: whoever follows. */
  readonly to: string | undefined
  readonly check: boolean
  readonly thoughPaused: boolean
  /** Ctrl-C. */
  readonly over: AbortSignal
}

export interface SwitchoverParts {
  /** With the one site. */
  readonly flags: RunFlags
  readonly world: World
  readonly teller: Teller
}

/** Asks the leader's agent to hand over, and follows that to its end. */
export async function switchOver(
  wanted: SwitchoverWanted,
  parts: SwitchoverParts,
): Promise<ExitCode> {
  const run = new SwitchoverRun(wanted, parts)
  try {
    return await run.go()
  } catch (error) {
    if (error instanceof TwonodeError) return parts.teller.fail(error)
    throw error
  }
}

class SwitchoverRun {
  readonly #wanted: SwitchoverWanted
  readonly #parts: SwitchoverParts
  readonly #told = new Set<string>()
  readonly #account: JsonObject[] = []

  constructor(wanted: SwitchoverWanted, parts: SwitchoverParts) {
    this.#wanted = wanted
    this.#parts = parts
  }

  async go(): Promise<ExitCode> {
    const { to, check, thoughPaused } = this.#wanted
    const { teller } = this.#parts
    const { leader, status } = await this.#leader()
    if (to === leader) {
      teller.say({ kind: 'nothing', message: `${to} leads already: nothing is to be done` })
      return EXIT.done
    }
    const words = ['switchover', ...(thoughPaused ? ['--though-paused'] : [])]
    const plan = await this.#ask([...words, '--check'], leader)
    teller.say(plan)
    if (check) return EXIT.done
    const begun = begunFrom(
      { from: leader, to: textOf(plan, 'to'), term: Number(plan['term']) },
      status,
    )
    await this.#hear()
    await this.#ask([...words, '--no-wait'], leader)
    return await this.#follow(begun)
  }

  /** Who leads by its own word, and what it says of itself. */
  async #leader(): Promise<{ readonly leader: string; readonly status: JsonObject }> {
    const { statuses, isCut } = await this.#statuses()
    const leading = [...statuses].filter(([, { role }]) => role === 'leader')
    const [one, ...more] = leading
    if (one !== undefined && more.length === 0) return { leader: one[0], status: one[1] }
    if (one === undefined && isCut)
      throw new TwonodeError(
        'E_UNREACHABLE',
        statuses.size === 0
          ? 'no host of the pair can be asked'
          : 'the host that can be asked does not lead, and the other one can not be reached',
        { hint: 'A hand-over needs both: mend the way to the host named above.' },
      )
    throw new TwonodeError(
      'E_FAILED',
      one === undefined
        ? 'nobody leads that could hand over'
        : 'both hosts lead: nobody can hand over',
      { hint: '`twonode status` says how the pair stands, and what to do.' },
    )
  }

  async #follow(begun: Begun): Promise<ExitCode> {
    const { world, teller } = this.#parts
    const { over } = this.#wanted
    const began = world.now()
    for (;;) {
      const verdict = await this.#look(begun)
      if (verdict.kind === 'done') {
        const proof = JSON.parse(JSON.stringify(verdict.proof)) as JsonObject
        const message = proofText(verdict.proof).join('\n')
        teller.say({ kind: 'proof', ...proof, message })
        return EXIT.done
      }
      if (verdict.kind === 'back')
        throw new TwonodeError('E_FAILED', `${begun.from} leads on: ${verdict.why}`, {
          hint: 'Both hosts serve as before; `twonode timeline` has every step.',
        })
      const hint = 'The hosts go on by themselves; `twonode status` and `timeline` show how.'
      if (over.aborted)
        throw new TwonodeError('E_INTERRUPTED', `interrupted: ${verdict.waitsFor}`, { hint })
      if (world.now() - began > FOLLOWED_MS)
        throw new TwonodeError('E_FAILED', `it still goes on: ${verdict.waitsFor}`, { hint })
      await setTimeout(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => {})
    }
  }

  /** A host that can't be looked at for a moment ends nothing: the agents go on without us. */
  async #look(begun: Begun): Promise<SwitchoverVerdict> {
    for (const line of await this.#hear()) {
      this.#account.push(line)
      const message = textOf(line, 'text')
      this.#parts.teller.say({ ...line, step: line['kind'] ?? null, kind: 'step', message })
    }
    const status = (await this.#statuses()).statuses.get(begun.from)
    if (status === undefined)
      return { kind: 'going', waitsFor: `${begun.from} to answer from here again` }
    return judgeSwitchover(begun, status, this.#account)
  }

  /** What is new of both accounts, in the order of their clocks. */
  async #hear(): Promise<readonly JsonObject[]> {
    const { hosts } = await this.#all(['timeline', '--own', '--lines', NEWEST])
    const lines = [...hosts.values()].flatMap((words) => words.lines)
    const fresh = lines.filter((line) => !this.#told.has(JSON.stringify(line)))
    for (const line of fresh) this.#told.add(JSON.stringify(line))
    return fresh.toSorted((a, b) => textOf(a, 'at').localeCompare(textOf(b, 'at')))
  }

  async #statuses() {
    const { hosts, exitCode } = await this.#all(['status'])
    const found = [...hosts].flatMap(([host, { lines }]) => {
      const [status] = lines
      return status === undefined ? [] : [[host, status] as const]
    })
    return { statuses: new Map(found), isCut: exitCode === EXIT.unreachable }
  }

  async #all(words: readonly string[]): Promise<HostWordsOf> {
    const { flags, world, teller } = this.#parts
    const all = { ...flags, limit: [] }
    return await askHosts({ words, emit: teller.emit }, all, world)
  }

  /** The agent's answer, or its refusal in its own words. */
  async #ask(words: readonly string[], host: string): Promise<JsonObject> {
    const { flags, world, teller } = this.#parts
    const { hosts } = await askHosts(
      { words, emit: teller.emit },
      { ...flags, limit: [host] },
      world,
    )
    const { refusal, lines } = hosts.get(host) ?? { lines: [] }
    if (refusal !== undefined) throw refusal
    const [line] = lines
    if (line !== undefined) return line
    throw new TwonodeError('E_FAILED', `${host} gave no answer`, {
      hint: '`twonode status` says whether it was begun.',
    })
  }
}

function textOf(line: JsonObject, name: string): string {
  const value = line[name]
  return typeof value === 'string' ? value : ''
}
