import { setTimeout as pause } from 'node:timers/promises'
import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { type Begun, judgeSwitchover, proofText, type SwitchoverProof } from '../pair/switchover.ts'
import { askAgent } from './control_socket.ts'

/** Between two looks. @unit milliseconds */
const LOOK_EVERY_MS = 500

/** A hand-over takes a second or two, and the pair some more; the agents go on by themselves. @unit milliseconds */
const FOLLOWED_MS = 60_000

/** More than an agent writes between two looks. */
const NEWEST = 40

/** More than both write from the request to a pair. */
const LINES = 200

/** What the agent of this host answers to one question. */
export async function answersOf(
  socket: string,
  command: string,
  options: JsonObject = {},
): Promise<readonly JsonObject[]> {
  const lines: JsonObject[] = []
  await askAgent(socket, { command, options }, (line) => lines.push(line))
  return lines
}

/** Lines of a timeline that were there before a moment, or are told already. */
export type Told = Set<string>

/** The account until now: both agents' lines. */
export async function toldUntilNow(socket: string): Promise<Told> {
  const told: Told = new Set()
  await newLines(socket, { lines: LINES }, told)
  return told
}

/** What is new of an account; from here on it is not. */
async function newLines(
  socket: string,
  options: JsonObject,
  told: Told,
): Promise<readonly JsonObject[]> {
  const lines = await answersOf(socket, 'timeline', options)
  const fresh = lines.filter((line) => !told.has(JSON.stringify(line)))
  for (const line of fresh) told.add(JSON.stringify(line))
  return fresh
}

/**
 * Follows a switchover of this host to its end: the agents' steps as they come, and then the proof.
 * @throws TwonodeError E_FAILED when this host leads on, or it takes too long; E_INTERRUPTED
 */
export async function followSwitchover(
  socket: string,
  { begun, told }: { readonly begun: Begun; readonly told: Told },
  { say, over }: { readonly say: (data: JsonObject) => void; readonly over: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + FOLLOWED_MS
  const account: JsonObject[] = []
  const hear = async (options: JsonObject) => {
    for (const line of await newLines(socket, options, told)) {
      account.push(line)
      say({ ...line, step: line['kind'] ?? null, kind: 'step', message: line['text'] ?? '' })
    }
  }
  for (;;) {
    await hear({ own: true, lines: NEWEST })
    const [status = {}] = await answersOf(socket, 'status')
    let verdict = judgeSwitchover(begun, status, account)
    if (verdict.kind === 'done') {
      // The new leader's account has the time.
      await hear({ lines: LINES })
      verdict = judgeSwitchover(begun, status, account)
      if (verdict.kind === 'done') return say(proofLine(verdict.proof))
    }
    if (verdict.kind === 'back')
      throw new TwonodeError('E_FAILED', `${begun.from} leads on: ${verdict.why}`, {
        hint: 'Both hosts serve as before; `twonode timeline` has every step.',
      })
    if (over.aborted) throw leftAlone('E_INTERRUPTED', 'interrupted', verdict.waitsFor)
    if (performance.now() > deadline)
      throw leftAlone(
        'E_FAILED',
        `after ${FOLLOWED_MS / 1000} s it still goes on`,
        verdict.waitsFor,
      )
    await pause(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => undefined)
  }
}

function proofLine(proof: SwitchoverProof): JsonObject {
  const data = JSON.parse(JSON.stringify(proof)) as JsonObject
  return { kind: 'proof', ...data, message: proofText(proof).join('\n') }
}

function leftAlone(code: 'E_FAILED' | 'E_INTERRUPTED', what: string, waitsFor: string) {
  return new TwonodeError(code, `${what}; it waits for: ${waitsFor}`, {
    hint: 'The hosts go on by themselves; `twonode status` and `twonode timeline` show how.',
  })
}
