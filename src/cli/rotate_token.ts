import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Event, StepEvent } from '../core/events.ts'
import { type Invocation, textOption } from './command.ts'
import { compileSites, filesOf } from './compile_sites.ts'
import { readRunFlags, type RunFlags } from './run_flags.ts'
import { guardedWorld, runSites } from './run_sites.ts'
import { createTeller, type Teller, theSite } from './switchover.ts'
import { switchOver } from './switchover_run.ts'
import { leaderOf, type LookedPair, lookedPair } from './token_look.ts'
import { nextTokenStep, tokenProblem, type TokenStep } from './token_rotation.ts'
import { whyNotWhole } from './upgrade_look.ts'
import type { World } from './world.ts'

/** Of a token that nobody brings. */
const TOKEN_BYTES = 32

/** What the playbooks call it; in this process' memory and nowhere else. */
const TOKEN_ENV = 'TWONODE_TOKEN_OF_THIS_RUN'

/** Kubernetes starts on a small machine, twice, and a lead is handed over. @unit milliseconds */
const ROTATED_MS = 15 * 60_000

/** Between two looks at what takes its time. @unit milliseconds */
const LOOK_EVERY_MS = 2_000

/** Of k3s, where the inventory names no other. */
const K3S_DATA = '/var/lib/rancher/k3s'

const SERVES = {
  what: 'the API server of this host to be ready',
  command: ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=5s', 'get', '--raw', '/readyz'],
  timeout: '5m',
}

interface Parts {
  readonly flags: RunFlags
  /** With the token in its environment. */
  readonly world: World
  readonly teller: Teller
  /** Where k3s writes the token that it has started with. */
  readonly serverToken: string
  readonly over: AbortSignal
}

/** `twonode rotate token`: a new token for k3s, over both hosts, while Kubernetes goes on. */
export async function rotateToken(invocation: Invocation, plain: World): Promise<ExitCode> {
  const flags = readRunFlags(invocation)
  const { site, participants } = theSite(flags, plain)
  const token = tokenOf(textOption(invocation, 'tokenFile'), plain)
  const world = { ...plain, env: { ...plain.env, [TOKEN_ENV]: token } }
  const { 'data-dir': data } = site.site.k3s.config
  const serverToken = `${typeof data === 'string' ? data : K3S_DATA}/server/token`
  const over = new AbortController()
  const dispose = world.onInterrupt(() => over.abort())
  const chosen = { ...flags, sites: [site.site.name], tags: [] }
  const sites = await compileSites(playbook('any', serverToken), chosen, world)
  const teller = await createTeller(flags, guardedWorld(world, sites))
  const parts = {
    flags: { ...chosen, limit: participants.map(({ name }) => name) },
    world,
    teller,
    serverToken,
    over: over.signal,
  }
  try {
    return await new TokenRotation(parts).go()
  } catch (error) {
    if (error instanceof TwonodeError) return teller.fail(error)
    throw error
  } finally {
    dispose()
    teller.end()
  }
}

/** Of a file, or a new one. */
function tokenOf(path: string | undefined, world: World): string {
  if (path === undefined) return randomBytes(TOKEN_BYTES).toString('hex')
  const text = filesOf(world).read(path)
  if (text === undefined) throw new TwonodeError('E_FILE', `there is no file ${path}`)
  const token = text.replace(/\r?\n$/, '')
  const problem = tokenProblem(token)
  if (problem !== undefined)
    throw new TwonodeError('E_USAGE', `--token-file ${path}: ${problem}`, {
      hint: 'Leave the option out to have one made.',
    })
  return token
}

class TokenRotation {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async go(): Promise<ExitCode> {
    const { flags, world } = this.#parts
    const began = world.now()
    let told = ''
    for (let first = true; ; first = false) {
      const pair = await this.#look()
      if (first && flags.check) return this.#plan(pair)
      const step = nextTokenStep(pair.seen)
      if (step.do === 'nothing' || step.do === 'keep') return this.#end(step.do, pair)
      this.#refuseInterrupted()
      const waits = this.#waitsFor(step, pair)
      if (waits === undefined) await this.#take(step, pair)
      else {
        if (waits !== told) this.#say('wait', waits)
        told = waits
        if (world.now() - began > ROTATED_MS) throw this.#stopped(waits)
        const { over: signal } = this.#parts
        await setTimeout(LOOK_EVERY_MS, undefined, { signal }).catch(() => {})
      }
    }
  }

  /** @throws TwonodeError when the pair is in no state for it */
  async #look(): Promise<LookedPair> {
    const { flags } = this.#parts
    const steps = new Map<string, readonly StepEvent[]>()
    await this.#run('any', flags.limit, (event) => {
      if (event.event === 'step') steps.set(event.host, [...(steps.get(event.host) ?? []), event])
      else if (event.event === 'trouble' || event.event === 'progress')
        this.#parts.teller.emit(event)
    })
    return lookedPair(flags.limit, steps)
  }

  /** No host is disturbed while the other is not well. */
  #waitsFor(step: TokenStep, { hosts, seen }: LookedPair): string | undefined {
    if (step.do === 'wait') return `${step.on} to have what ${seen.leader.name} has written`
    const disturbs = step.do === 'restart' || step.do === 'hand over'
    return disturbs ? whyNotWhole(hosts) : undefined
  }

  async #take(step: TokenStep, pair: LookedPair): Promise<void> {
    switch (step.do) {
      case 'know':
        this.#say('step', `the datastore opens with the new token as well as with the old one`)
        return await this.#must('known', step.on)
      case 'hold':
        this.#say('step', `${step.on} gets the new token`)
        return await this.#must('held', step.on)
      case 'restart':
        this.#say('step', `k3s of ${step.on} starts anew`)
        return await this.#must('restart', step.on)
      case 'hand over':
        return await this.#handOver(leaderOf(pair), step.on)
      case 'alone':
        this.#say('step', 'the old token opens nothing any more')
        return await this.#must('alone', step.on)
      case 'wait':
      case 'keep':
      case 'nothing':
        return
      default:
        throw new Error(`unhandled step: ${String(step satisfies never)}`)
    }
  }

  async #handOver(leader: string, to: string): Promise<void> {
    const { flags, world, teller, over } = this.#parts
    this.#say('step', `${leader} hands its lead over, so that its k3s can start anew`)
    const wanted = { to, check: false, thoughPaused: false, over }
    const exit = await switchOver(wanted, { flags: { ...flags, limit: [] }, world, teller })
    if (exit !== EXIT.done) throw this.#stopped(`${leader} does not hand over`)
  }

  async #must(what: 'known' | 'held' | 'alone' | 'restart', host: string): Promise<void> {
    const exit = await this.#run(what, [host], (event) => this.#parts.teller.emit(event))
    if (exit !== EXIT.done) throw this.#stopped(`what is above failed on ${host}`)
  }

  async #run(
    what: 'any' | 'known' | 'held' | 'alone' | 'restart',
    limit: readonly string[],
    emit: (event: Event) => void,
  ): Promise<ExitCode> {
    const { flags, world, serverToken } = this.#parts
    const selection = { ...flags, limit }
    const sites = await compileSites(playbook(what, serverToken), selection, world)
    const isLook = what === 'any'
    const mode = { check: isLook, lookOnly: isLook, report: isLook }
    return await runSites(sites, { flags: selection, mode, emit }, world)
  }

  #plan({ seen }: LookedPair): ExitCode {
    const { leader, follower } = seen
    const lines =
      follower === undefined
        ? [`${leader.name} gets a new token, and the old one opens as well until its peer is back`]
        : [
            `${follower.name} gets a new token, and its k3s starts anew`,
            `${leader.name} hands its lead over and does the same`,
            'then the old token opens nothing any more',
          ]
    for (const line of lines) this.#say('plan', line)
    return EXIT.wouldChange
  }

  #end(how: 'nothing' | 'keep', { seen }: LookedPair): ExitCode {
    const { leader } = seen
    if (how === 'nothing')
      this.#say('done', 'both hosts have the new token, and nothing else opens')
    else
      this.#say(
        'kept',
        `${leader.name} has the new token, its k3s starts with it when it next starts, and the old one opens as well: its peer has that one. When that is back run \`twonode rotate token\` again, without --limit`,
      )
    return EXIT.done
  }

  #refuseInterrupted(): void {
    if (this.#parts.over.aborted)
      throw new TwonodeError('E_INTERRUPTED', 'interrupted between two steps', AGAIN)
  }

  #stopped(why: string): TwonodeError {
    return new TwonodeError('E_FAILED', `the rotation stops here: ${why}`, AGAIN)
  }

  #say(kind: string, message: string): void {
    this.#parts.teller.say({ kind, message })
  }
}

const AGAIN = {
  hint: 'Every k3s starts with the token that its host has. Run `twonode rotate token` again: it brings another new token over both hosts, and takes away all others.',
}

/** One step on a host; `any` looks at all of them. */
function playbook(what: 'any' | 'known' | 'held' | 'alone' | 'restart', serverToken: string) {
  const database = '{{ site.postgres.database }}'
  const state = what === 'restart' ? 'held' : what
  const token = `k3s_token: { database: '${database}', token: !secret { env: ${TOKEN_ENV} }, state: ${state}, server_token: ${JSON.stringify(serverToken)} }`
  const restart = { command: { argv: ['systemctl', 'restart', 'k3s.service'], timeout: '5m' } }
  const more = {
    any: [
      {
        name: 'the agent',
        assert: { command: ['/usr/local/bin/twonode', 'status', '--json'], that: ['true'] },
      },
    ],
    known: [],
    held: [],
    alone: [],
    restart: [
      { name: 'k3s starts anew', ...restart },
      { name: 'Kubernetes answers on this host', wait_for: SERVES },
    ],
  }[what]
  const tasks = more.map((task) => `    - ${JSON.stringify(task)}\n`).join('')
  const text = `- name: Token\n  hosts: all\n  tasks:\n    - name: the token\n      ${token}\n${tasks}`
  return { kind: 'text', text, name: 'rotate token' } as const
}
