import { join } from 'node:path'
import { momentOf } from '../../../src/agent/clock.ts'
import { answerControl } from '../../../src/agent/control_answers.ts'
import { type ControlSocket, openControlSocket } from '../../../src/agent/control_socket.ts'
import { Faults } from '../../../src/agent/faults.ts'
import { JoinTokens } from '../../../src/agent/join_token.ts'
import { type DecisionJournal, openDecisionJournal } from '../../../src/agent/journal.ts'
import { readHostCommand, type TypedCommand } from '../../../src/agent/host_program.ts'
import { runLocalCommand } from '../../../src/agent/local_commands.ts'
import type { Likeness } from '../../../src/agent/salvage/comparison.ts'
import { openStateFiles } from '../../../src/agent/state_files.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { createSiteSecrets } from '../../../src/host/site_secrets.ts'
import { answers, following, GATEWAY_UP, leading, pairMeta } from '../../support/agent_sightings.ts'
import { planOf, scratch } from '../../support/engine_run.ts'
import { DONE, ScriptedHost } from '../../support/scripted_agent.ts'
import { manualClock } from './manual_clock.ts'

export const META = pairMeta()

/** An agent in its role, and the command line of its host. */
export class ControlBench {
  readonly folder = scratch()
  readonly faults = new Faults(() => {})
  /** What the peer's agent gives for its account; null: it does not answer. */
  peerSays: readonly JsonObject[] | null = null
  isReplaced = false
  /** How the follower's table compares with the leader's. */
  likeness: Likeness = 'same'
  /** What losing branches had here, and nobody has looked at. */
  salvagesWaiting: readonly string[] = []
  /** What a person answers; undefined: nobody is there. */
  ask: (question: string) => Promise<string | undefined> = () => Promise.resolve(undefined)
  #socket: ControlSocket | undefined
  #journal: DecisionJournal | undefined

  /** A core in its role, whose agent answers on a socket. */
  async agentOf(self: 'h1' | 'h2'): Promise<ScriptedHost> {
    const host = new ScriptedHost(self, { meta: META })
    host.converges = { role: () => DONE }
    await host.core.start()
    const seen = self === 'h1' ? leading() : following('h2_1_1')
    await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META, proofTerm: 2 }), ...seen })
    const journalFolder = join(this.folder.path, 'journal')
    this.#journal = openDecisionJournal({
      folder: journalFolder,
      host: self,
      bootId: 'b',
      clock: manualClock(),
      redact: (text) => text,
    })
    host.journal = this.#journal
    const parts = {
      core: host.core,
      site: {
        host: self,
        plan: planOf([]),
        secrets: new Map<string, never>(),
        isReplaced: () => this.isReplaced,
        takeIn: async () => {},
      },
      clock: host.clock,
      store: openStateFiles({
        directory: this.folder.path,
        site: 'test',
        note: () => {},
        moment: () => momentOf(host.clock, 'b'),
      }),
      tokens: new JoinTokens(this.folder.path, () => host.clock.now()),
      secrets: createSiteSecrets(this.folder.path),
      faults: this.faults,
      journal: this.#journal,
      journalFolder,
      client: { decisions: async () => this.peerSays },
      comparison: { ask: async () => this.likeness },
      salvages: { summary: () => ({ waiting: this.salvagesWaiting, unusable: [] }) },
    }
    this.#socket = await openControlSocket(this.#place, answerControl(parts))
    return host
  }

  get journal(): DecisionJournal {
    if (this.#journal === undefined) throw new Error('no agent was started')
    return this.#journal
  }

  /** What a command of the host prints; it exits 0, or rejects. */
  async twonode(...words: readonly string[]): Promise<string> {
    let said = ''
    const out = { write: (text: string) => void (said += text) }
    const exit = await runLocalCommand(typedOf(words), out, {
      socket: this.#place,
      ask: (question) => this.ask(question),
    })
    if (exit !== 0) throw new Error(`it exited ${exit}: ${said}`)
    return said
  }

  async status(): Promise<JsonObject> {
    return JSON.parse(await this.twonode('status', '--json')) as JsonObject
  }

  async closeSocket(): Promise<void> {
    await this.#socket?.close()
  }

  async close(): Promise<void> {
    await this.closeSocket()
    await this.#journal?.flush()
    this.folder.remove()
  }

  get #place(): string {
    return join(this.folder.path, 'agent.sock')
  }
}

/** Words of a host's command line, as its program reads them. */
export function typedOf(words: readonly string[]): TypedCommand {
  const typed = readHostCommand(words)
  if (typed.kind === 'help') throw new Error(`help was wanted: ${words.join(' ')}`)
  return typed
}

/** Lets rounds pass until it is answered. */
export async function withRounds<T>(host: ScriptedHost, asking: Promise<T>): Promise<T> {
  const over = new AbortController()
  const end = () => over.abort()
  asking.then(end, end)
  for (let round = 0; !over.signal.aborted && round < 1_000; round += 1) {
    await host.rounds(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return await asking
}
