import type { Heard } from './sighting.ts'

/** What was heard of a peer or a gateway, and what was asked in vain since. */
export interface Contact {
  /** Of the newest probe that was answered, whichever look it belonged to. */
  readonly sentAt: number
  readonly arrivedAt: number
  /** Looks in a row at whose end nothing new had come. */
  readonly silent: number
  /**
   * When the looks began that have ended and since whose beginning no probe that was sent was answered,
   * oldest first. A ping that was answered between two looks is heard by the second one, and is no
   * answer to it: the peer may have died since.
   */
  readonly unanswered: readonly number[]
}

/** More of them than the most failures that an inventory may ask for say nothing more. */
const MOST_UNANSWERED = 20

/** Counts from now. */
export function firstContact(now: number): Contact {
  return { sentAt: now, arrivedAt: now, silent: 0, unanswered: [] }
}

/** Takes in what a look that began then has heard when it ended. */
export function afterLook(
  before: Contact,
  answers: readonly (Heard | null)[],
  at: number,
): Contact {
  const heard = answers.filter((answer) => answer !== null)
  const unanswered = [...before.unanswered, at].slice(0, MOST_UNANSWERED)
  return {
    ...withAnswers({ ...before, unanswered }, heard),
    silent: heard.length === 0 ? before.silent + 1 : 0,
  }
}

/** Takes in answers that came beside a look; the next one may bring them again. */
export function withAnswers(before: Contact, heard: readonly Heard[]): Contact {
  const sentAt = Math.max(before.sentAt, ...heard.map((answer) => answer.sentAt))
  return {
    ...before,
    sentAt,
    arrivedAt: Math.max(before.arrivedAt, ...heard.map((answer) => answer.arrivedAt)),
    unanswered: before.unanswered.filter((began) => began > sentAt),
  }
}

/** It spoke by itself. */
export function spokenTo(before: Contact, now: number): Contact {
  return { ...before, arrivedAt: now, silent: 0, unanswered: [] }
}
