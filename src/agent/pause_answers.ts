import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { LONGEST_PAUSE_MS, PAUSE_MS, pauseText, SHORTEST_PAUSE_MS } from '../pair/pause.ts'
import { durationText, parseDuration } from '../plan/units.ts'
import type { ControlParts } from './control_answers.ts'
import { pausedText, resumedText } from './operator_words.ts'

type Say = (data: JsonObject) => void

/** `twonode pause [--for 1h]` of a host: from now on, whatever was left of another one. */
export async function answerPause(
  { store, core, journal, clock }: ControlParts,
  options: JsonObject,
  say: Say,
): Promise<void> {
  const forMs = durationOf(options['for'])
  await store.pause.begin(forMs)
  journal.note({ kind: 'pause', paused: true, for: durationText(forMs) })
  const wallMs = Date.parse(clock.wallTime())
  const until = new Date(wallMs + forMs).toISOString()
  const message = `${pausedText(core.facts())} or ${pauseText(forMs, wallMs)}`
  say({ pausedUntil: until, pauseLeftMs: forMs, message })
}

/** An operator has looked: that is what the flap guard waits for, and from here on it counts anew. */
export async function answerResume(
  { store, core, journal }: ControlParts,
  _: JsonObject,
  say: Say,
): Promise<void> {
  await store.pause.remove()
  journal.note({ kind: 'pause', paused: false })
  await core.ask({ kind: 'thaw' })
  say({ message: resumedText({ ...core.facts(), paused: false }) })
}

/** How long a host is paused, for its status. Without an end, or not paused: null. */
export async function pauseStanding({ store, clock }: ControlParts, isPaused: boolean) {
  const leftMs = isPaused ? await store.pause.left().catch(() => null) : undefined
  if (leftMs === undefined) return { pausedUntil: null, pauseLeftMs: null, pauseEnds: null }
  const wallMs = Date.parse(clock.wallTime())
  const pauseEnds = pauseText(leftMs, wallMs)
  if (leftMs === null) return { pausedUntil: null, pauseLeftMs: null, pauseEnds }
  return { pausedUntil: new Date(wallMs + leftMs).toISOString(), pauseLeftMs: leftMs, pauseEnds }
}

function durationOf(text: unknown): number {
  if (text === undefined) return PAUSE_MS
  const forMs = typeof text === 'string' ? parseDuration(text) : undefined
  if (forMs !== undefined && forMs >= SHORTEST_PAUSE_MS && forMs <= LONGEST_PAUSE_MS) return forMs
  throw new TwonodeError('E_USAGE', 'a pause lasts for 1s to 24h', {
    hint: 'Such as `twonode pause --for 2h`; asked again it begins anew.',
  })
}
