import type { Event, StepEvent } from '../../../src/core/events.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import type { FromRunner } from '../../../src/core/protocol.ts'
import type { OpenSession } from '../../../src/cli/runner_session.ts'
import { helloOf, summaryOf } from './scripted_pair.ts'

/** What a host's own command line gives: its lines, or `E_CODE: message` and a hint, or what came of it. */
export type Said = readonly JsonObject[] | string | { readonly torn: string }

/** Hosts of a pair whose agents answer their own command line, and nothing else. */
export function talkingHosts(
  say: (host: string, words: readonly string[]) => Said,
  hello: Parameters<typeof helloOf>[1] = {},
): {
  readonly open: OpenSession
  /** `h1: status`, in order. */
  readonly asked: string[]
} {
  const asked: string[] = []
  const open: OpenSession = async (request, listener) => {
    const { name } = request.host
    const tell = (message: FromRunner) => queueMicrotask(() => listener.onMessage(message))
    tell(helloOf(name, hello))
    const { opening } = request
    const [step] = opening.type === 'plan' ? (opening.plan.plays[0]?.steps ?? []) : []
    const argv = (step?.args['command'] ?? []) as readonly string[]
    const words = argv.slice(1).filter((word) => word !== '--json')
    return await Promise.resolve({
      send: (message) => {
        if (message.type !== 'go') return
        asked.push(`${name}: ${words.join(' ')}`)
        tell({
          type: 'observed',
          pending: [],
          events: answered(name, say(name, words), step?.register),
        })
      },
      sendBlob: () => {},
      roundTrips: () => 9,
      close: () => queueMicrotask(() => listener.onEnd(undefined)),
    })
  }
  return { open, asked }
}

function linesOf(said: readonly JsonObject[]): string {
  return said.map((line) => `${JSON.stringify(line)}\n`).join('')
}

/** The step that asked a host's agent, with what it said. */
function answered(host: string, said: Said, register = 'said'): readonly Event[] {
  const output =
    typeof said === 'string'
      ? { code: 3, stdout: '', stderr: said }
      : { code: 0, stdout: 'torn' in said ? said.torn : linesOf(said), stderr: '' }
  const step: StepEvent = {
    event: 'step',
    host,
    play: 'p',
    task: 't',
    module: 'assert',
    status: 'ok',
    register,
    result: { rows: [], ...output },
    durationMs: 1,
  }
  return [step, summaryOf(host)]
}
