import * as fc from 'fast-check'
import type { Asked, Facts } from '../../src/pair/facts.ts'
import { healthy, METAS, peersOf } from './worlds.ts'

/** What may be asked of an agent. */
export const ASKED: readonly (Asked | null)[] = [
  null,
  { kind: 'promote', force: false },
  { kind: 'promote', force: true },
  { kind: 'yielded', term: 2 },
  { kind: 'yielded', term: 1 },
  { kind: 'handed-back', term: 2 },
  { kind: 'switchover' },
  { kind: 'thaw' },
  { kind: 'replacement', name: 'h3', address: '10.77.0.13' },
]

/** Facts that decide most of the rows, in every combination. */
export const CENTRE = {
  gateway: ['up', 'silent', 'down'],
  impaired: [false, true],
  proven: [true, false],
  stream: ['caught-up', 'lost'],
  promotable: [false, true],
  postgres: ['up', 'failed'],
} as const satisfies Partial<{ [K in keyof Facts]: readonly Facts[K][] }>

/** Any world at all. */
export const anyWorld = fc.constantFrom(...METAS).chain((meta) =>
  fc
    .record({
      peer: fc.constantFrom(...peersOf(meta)),
      gateway: fc.constantFrom(...CENTRE.gateway),
      paused: fc.boolean(),
      frozen: fc.boolean(),
      impaired: fc.boolean(),
      proven: fc.boolean(),
      late: fc.boolean(),
      metaDoubtful: fc.boolean(),
      initialised: fc.boolean(),
      stream: fc.constantFrom('caught-up' as const, 'behind' as const, 'lost' as const),
      slot: fc.constantFrom('ok' as const, 'missing' as const, 'lost' as const),
      room: fc.constantFrom('ok' as const, 'low' as const, 'tight' as const),
      slotKeepsBytes: fc.constantFrom(0, 1e9),
      followerDiffers: fc.boolean(),
      promotable: fc.boolean(),
      postgres: fc.constantFrom('up' as const, 'starting' as const, 'failed' as const),
      disk: fc.constantFrom('ok' as const, 'full' as const),
      settled: fc.constantFrom('yes' as const, 'due' as const, 'later' as const),
      lagBytes: fc.constantFrom(null, 10, 1000),
      handOverHeld: fc.boolean(),
      handOverPutOff: fc.boolean(),
      unbegun: fc.constantFrom('no' as const, 'untouched' as const, 'given-back' as const),
      voidRefused: fc.boolean(),
      claimBarred: fc.boolean(),
      reads: fc.constantFrom('due' as const, 'served' as const, 'not-served' as const),
      restriction: fc.constantFrom('done' as const, 'due' as const),
      asked: fc.constantFrom(...ASKED),
      powerHeld: fc.boolean(),
      longGone: fc.boolean(),
      policy: fc.oneof(
        fc.record({
          partition: fc.constantFrom('availability' as const, 'consistency' as const),
          acceptLossBytes: fc.constantFrom(0, 100),
        }),
        fc.constant({
          partition: 'consistency' as const,
          acceptLossBytes: 0,
          fencing: { followerDelayMs: 0 },
        }),
      ),
    })
    .map((more) => healthy({ meta, ...more })),
)
