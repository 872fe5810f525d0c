import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { durationText, parseDuration } from '../plan/units.ts'
import type { AgentParts } from './assemble.ts'

type Say = (data: JsonObject) => void

/** A big upgrade with a reboot. @unit milliseconds */
const LEAVE_MS = 30 * 60_000

/** Whoever stops for longer than this is replaced, or comes back by itself. @unit milliseconds */
const LONGEST_MS = 2 * 60 * 60_000

/** A leader looks each second, asks for the proof to be void, and releases what waits. @unit milliseconds */
const ALONE_MS = 20_000

/** @unit milliseconds */
const LOOK_EVERY_MS = 100

/**
 * `twonode leave [--for 30m]` of a follower: it is about to stop. Its leader has it void its proof, goes on
 * alone, and no write waits for a host that is gone (B7). A boot ends it, or `--end`.
 */
export async function answerLeave(
  { core, clock, journal }: Pick<AgentParts, 'core' | 'clock' | 'journal'>,
  options: JsonObject,
  say: Say,
): Promise<void> {
  const { self, meta } = core.facts()
  if (options['end'] === true) {
    core.desk.leave(0)
    journal.note({ kind: 'leave' })
    return say({ message: `${self} stays` })
  }
  if (meta === null || meta.leader === self)
    throw new TwonodeError('E_FAILED', `${self} does not follow: only a follower leaves`, {
      hint: '`twonode switchover` first.',
    })
  const forMs = durationOf(options['for'])
  core.desk.leave(forMs)
  journal.note({ kind: 'leave', for: durationText(forMs) })
  const deadline = clock.now() + ALONE_MS
  for (;;) {
    const { meta: now } = core.facts()
    if (now?.leader === self) {
      core.desk.leave(0)
      throw new TwonodeError('E_FAILED', `${self} leads now: ${meta.leader} was lost meanwhile`, {
        hint: `Do not stop it: nobody else serves. Bring ${meta.leader} back first.`,
      })
    }
    if (now?.mode === 'alone') break
    if (clock.now() > deadline) {
      core.desk.leave(0)
      throw new TwonodeError('E_FAILED', `${meta.leader} does not go on alone`, {
        hint: '`twonode status` there says why; stopped now, this host lets its writes wait for two seconds.',
      })
    }
    await clock.sleep(LOOK_EVERY_MS, new AbortController().signal)
  }
  say({ message: `${meta.leader} goes on alone: ${self} may stop` })
}

function durationOf(text: unknown): number {
  if (text === undefined) return LEAVE_MS
  const forMs = typeof text === 'string' ? parseDuration(text) : undefined
  if (forMs !== undefined && forMs >= 1_000 && forMs <= LONGEST_MS) return forMs
  throw new TwonodeError('E_USAGE', 'a host leaves for 1s to 2h')
}
