import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { RequestRefusal } from '../pair/request_refusal.ts'
import type { AskAnswer } from './acting.ts'

type Say = (data: JsonObject) => void

/** What the rules made of a request: it has begun, or why not. */
export function taken(
  { ok, rule, why }: AskAnswer,
  say: Say,
  refusal: () => RequestRefusal | null = () => null,
): void {
  // What the rules do instead, "nothing to do" mostly, does not say what they miss.
  const missed = ok ? null : refusal()
  if (missed !== null)
    throw new TwonodeError('E_FAILED', `nothing is done: ${missed.message}`, { hint: missed.hint })
  if (!ok)
    throw new TwonodeError('E_FAILED', `nothing is done: ${why} (rule ${rule})`, {
      hint: '`twonode status` shows what this host sees; docs/fsm.md has the rules.',
    })
  say({ rule, why, message: `begun: ${why} (rule ${rule})` })
}
