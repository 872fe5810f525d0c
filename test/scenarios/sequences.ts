import { JUMP } from '../../modules/kine_revision.ts'
import type { Step } from './engine.ts'
import { FOLLOWING, sameHistory } from './sequence_following.ts'
import { PAIRING, STANDING_STILL, WAITING } from './sequence_pairing.ts'
import { LEADING } from './sequence_leading.ts'

/** The tasks of role.yaml in their order, as far as they decide who has which writes. */
export const SEQUENCE: readonly Step[] = [
  ...LEADING,
  ...FOLLOWING,
  ...PAIRING,
  ...STANDING_STILL,
  ...WAITING,
]

/** What single tasks go by: a mutation changes one of these, or leaves a step out. */
export interface SequenceRules {
  readonly sameHistory: typeof sameHistory
  /** A pairing waits for the end of a copy (A3). */
  readonly seesCopy: boolean
  /** A slot that is gone is not made again under its name (B3). */
  readonly remembersSlots: boolean
  /** What a promotion moves the revision on by. */
  readonly jump: number
  /** A swap moves the old table aside, and does not drop it (A2). */
  readonly keepsOldTable: boolean
}

export const RULES: SequenceRules = {
  sameHistory,
  seesCopy: true,
  remembersSlots: true,
  jump: JUMP,
  keepsOldTable: true,
}
