import type { Clock } from '../../../src/agent/ports.ts'

/** A clock that goes on when it is told to. */
export interface ManualClock extends Clock {
  advance(ms: number): void
  /** Wall time jumps, the machine's own does not. */
  jump(ms: number): void
}

export function manualClock(nowMs = 1_000_000): ManualClock {
  let now = nowMs
  let wallMs = Date.UTC(2026, 0, 1)
  return {
    now: () => now,
    sleep: async () => {},
    wallTime: () => new Date(wallMs).toISOString(),
    advance: (ms) => {
      now += ms
      wallMs += ms
    },
    jump: (ms) => {
      wallMs += ms
    },
  }
}
