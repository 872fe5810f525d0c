import { setTimeout } from 'node:timers/promises'
import { EXIT, type ExitCode, type Trouble, TwonodeError } from '../core/errors.ts'
import type { Event, SummaryEvent } from '../core/events.ts'
import { compileSites, type ReadySite } from './compile_sites.ts'
import {
  judgeReplacement,
  type Replacement,
  type Sight,
  stillMissing,
  type Verdict,
} from './judge_replacement.ts'
import { lookAtBoth, type Looked } from './replacement_look.ts'
import type { RunFlags } from './run_flags.ts'
import { runSites } from './run_sites.ts'
import type { World } from './world.ts'

/** An agent goes alone and settles within seconds. @unit milliseconds */
const SETTLES_MS = 60_000

/** Between two looks. @unit milliseconds */
const LOOK_EVERY_MS = 1_000

/** What a replacement runs with. */
export interface ReplaceParts {
  readonly flags: RunFlags
  readonly world: World
  /** The site with the whole playbook. */
  readonly sites: readonly ReadySite[]
  readonly emit: (event: Event) => void
  /** This command line, for whoever is to run it again. */
  readonly command: string
  /** Ctrl-C, between two runs. */
  readonly over: AbortSignal
  /** @unit milliseconds */
  readonly pairsMs: number
  readonly confirmed: boolean
}

/** Runs one replacement to its end, and gives the exit code. */
export async function runReplacement(
  replacement: Replacement,
  parts: ReplaceParts,
): Promise<ExitCode> {
  return await new ReplaceRun(replacement, parts).go()
}

/** Ends the command with this exit code; the reason has been told. */
class Ended {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    this.exitCode = exitCode
  }
}

class ReplaceRun {
  readonly #replacement: Replacement
  readonly #parts: ReplaceParts
  readonly #startedAt: number
  /** A site's last line comes when all is over. */
  #summary: SummaryEvent | undefined

  constructor(replacement: Replacement, parts: ReplaceParts) {
    this.#replacement = replacement
    this.#parts = parts
    this.#startedAt = parts.world.now()
  }

  async go(): Promise<ExitCode> {
    const ended = await this.#replace()
    if (this.#summary !== undefined) {
      const durationMs = Math.round(this.#parts.world.now() - this.#startedAt)
      this.#parts.emit({ ...this.#summary, durationMs, exitCode: ended.exitCode })
    }
    return ended.exitCode
  }

  async #replace(): Promise<Ended> {
    const { host, old, survivor } = this.#replacement
    const verdict = await this.#decide()
    if (verdict instanceof Ended) return verdict
    if (verdict.kind === 'member') {
      this.#note(
        `${host} is one of the pair in term ${verdict.term}, and answers: nothing is replaced. To put another machine in its place, power it off first`,
      )
      return new Ended(EXIT.done)
    }
    const comes = host === old ? `the new ${host}` : host
    this.#note(
      verdict.kind === 'ask'
        ? `${survivor} leads alone, and ${verdict.old} is silent: ${comes} can take its place`
        : `${survivor} has ${comes} in its pair: what is left is to converge it`,
    )
    if (this.#parts.flags.check) return new Ended(EXIT.wouldChange)
    if (!(await this.#confirm()))
      return this.#fail(new TwonodeError('E_INTERRUPTED', 'nobody said yes: nothing was changed'))
    const prepared = await this.#converge(['packages'])
    if (prepared !== EXIT.done) return new Ended(prepared)
    if (verdict.kind === 'ask') {
      const accepted = (await this.#ask(verdict.old)) ?? (await this.#untilAccepted(verdict.term))
      if (accepted !== undefined) return accepted
      this.#note(`${survivor} has taken ${comes} in: it is converged now`)
    }
    const converged = await this.#converge([])
    return converged === EXIT.done ? await this.#untilPaired() : new Ended(converged)
  }

  /** Waits for what an agent is about to bring about, and no longer. */
  async #decide(): Promise<Ended | Extract<Verdict, { kind: 'ask' | 'accepted' | 'member' }>> {
    const decide = (sight: Sight) => {
      const verdict = judgeReplacement(this.#replacement, sight)
      return verdict.kind === 'later' ? { waitFor: verdict.what } : { found: verdict }
    }
    const verdict = await this.#until(decide, SETTLES_MS)
    if (verdict instanceof Ended) return verdict
    return verdict.kind === 'refused' ? this.#fail(verdict.error) : verdict
  }

  async #untilAccepted(term: number): Promise<Ended | undefined> {
    const { host, survivor } = this.#replacement
    const found = await this.#until((sight) => {
      const { agent } = sight.survivor
      const accepted = agent?.settled === 'yes' && termOf(sight) > term
      return accepted ? { found: true } : { waitFor: `${survivor} to have taken ${host} in` }
    }, SETTLES_MS)
    return found instanceof Ended ? found : undefined
  }

  async #untilPaired(): Promise<Ended> {
    const found = await this.#until((sight) => {
      const missing = stillMissing(this.#replacement, sight)
      return missing === undefined ? { found: termOf(sight) } : { waitFor: missing }
    }, this.#parts.pairsMs)
    if (found instanceof Ended) return found
    const { host, survivor } = this.#replacement
    this.#note(`${survivor} and ${host} are a pair, in term ${found}`)
    return new Ended(EXIT.done)
  }

  /** Looks until something is found; what it waits for is told, and is the error when time is up. */
  async #until<T>(
    judge: (sight: Sight) => { readonly found: T } | { readonly waitFor: string },
    withinMs: number,
  ): Promise<T | Ended> {
    const { world, emit, over, command } = this.#parts
    const began = world.now()
    for (;;) {
      const looked = await this.#look()
      if (looked.kind === 'unseen') return new Ended(looked.exitCode)
      const judged = judge(looked.sight)
      if ('found' in judged) return judged.found
      if (over.aborted) return this.#fail(interrupted(judged.waitFor, command))
      const elapsedMs = Math.round(world.now() - began)
      if (elapsedMs > withinMs) return this.#fail(tooLate(judged.waitFor, { elapsedMs, command }))
      const { survivor: host } = this.#replacement
      emit({ event: 'progress', host, task: 'waiting', message: judged.waitFor, elapsedMs })
      await setTimeout(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => {})
    }
  }

  async #look(): Promise<Looked> {
    const { flags, world, emit } = this.#parts
    return await lookAtBoth(this.#replacement, { flags, emit }, world)
  }

  async #confirm(): Promise<boolean> {
    const { confirmed, world } = this.#parts
    if (confirmed) return true
    const { host, address, old, survivor } = this.#replacement
    const answer = await world.questions.ask(
      `${survivor} goes on with the machine at ${address} as ${host}, which gets a copy of everything.\n` +
        `The old ${old} must never come back as it was. Type yes to go on: `,
    )
    return answer?.trim() === 'yes'
  }

  /** The survivor's own agent decides; its words are the error. */
  async #ask(old: string): Promise<Ended | undefined> {
    const { flags, world, emit } = this.#parts
    const { site, survivor } = this.#replacement
    const source = { kind: 'text', text: this.#request(old), name: 'replace' } as const
    const selection = { ...flags, sites: [site.name], limit: [survivor], tags: [] }
    const sites = await compileSites(source, selection, world)
    let said: TwonodeError | undefined
    const hear = (event: Event) => {
      if (event.event === 'trouble') emit(event)
      if (event.event === 'step' && event.trouble !== undefined)
        said = refusalOf(survivor, event.trouble)
    }
    const mode = { check: false, lookOnly: false, report: true }
    const exitCode = await runSites(sites, { flags: selection, mode, emit: hear }, world)
    if (said !== undefined) return this.#fail(said)
    return exitCode === EXIT.done ? undefined : new Ended(exitCode)
  }

  #request(old: string): string {
    const { host, address } = this.#replacement
    const argv = [
      '/usr/local/bin/twonode',
      'replace',
      '--for',
      old,
      '--host',
      host,
      '--address',
      address,
    ]
    return `- name: The replacement
  hosts: all
  tasks:
    - name: The agent takes the new host in
      command: { argv: ${JSON.stringify(argv)}, timeout: 1m }
`
  }

  async #converge(tags: readonly string[]): Promise<ExitCode> {
    const { sites, flags, world, emit } = this.#parts
    const hear = (event: Event) => {
      if (event.event === 'summary') this.#summary = event
      else emit(event)
    }
    const mode = { check: false, lookOnly: false, report: false, replaces: this.#replacement.old }
    return await runSites(sites, { flags: { ...flags, tags }, mode, emit: hear }, world)
  }

  #note(message: string): void {
    this.#parts.emit({ event: 'note', level: 'info', message })
  }

  #fail(error: TwonodeError): Ended {
    const trouble = error.toTrouble()
    this.#parts.emit({ event: 'trouble', trouble })
    return new Ended(trouble.exitCode)
  }
}

/** What the survivor's agent answered, in its own words. */
function refusalOf(survivor: string, { message, detail }: Trouble): TwonodeError {
  const [words = ''] = (detail ?? message).replace(/^E_[A-Z_]+: /, '').split('\n')
  return new TwonodeError('E_REPLACEMENT', `the agent of ${survivor}: ${words}`)
}

function termOf({ survivor: { hostMeta } }: Sight): number {
  return Number(/^term: (\d+)$/m.exec(hostMeta ?? '')?.[1] ?? 0)
}

function tooLate(
  what: string,
  { elapsedMs, command }: { readonly elapsedMs: number; readonly command: string },
): TwonodeError {
  const seconds = Math.round(elapsedMs / 1000)
  return new TwonodeError('E_FAILED', `after ${seconds} s it still waits for: ${what}`, {
    hint: `The hosts go on by themselves; \`twonode status\` and \`twonode timeline\` show how. Run \`${command}\` again: it goes on where it is.`,
  })
}

function interrupted(what: string, command: string): TwonodeError {
  return new TwonodeError('E_INTERRUPTED', `interrupted while it waited for: ${what}`, {
    hint: `The hosts go on by themselves. Run \`${command}\` again: it goes on where it is.`,
  })
}
