import type { HostName } from './names.ts'
import type { Decision } from './pair_view.ts'

/** What a hand-over is made of, by the agents' own journals. Undefined: not seen. @unit milliseconds */
export interface SwitchoverSteps {
  /** Until kine stood still on the follower. */
  readonly prepared: number | undefined
  /** From there until the leader stood still too, and the follower had everything. */
  readonly stoodStill: number | undefined
  /** From there until both digests were equal, and another leader was recorded. */
  readonly compared: number | undefined
  /** What the new leader needed to serve. */
  readonly tookUp: number | undefined
}

/** All hosts of a lab share the machine's clock: their lines are one account. */
export function switchoverSteps(
  account: readonly Decision[],
  { from, to }: { readonly from: HostName; readonly to: HostName },
): SwitchoverSteps {
  const done = (host: HostName, tag: string) =>
    account.find(
      ({ host: who, record }) =>
        who === host &&
        record['kind'] === 'converge' &&
        record['outcome'] === 'done' &&
        (record['tags'] as readonly string[]).includes(tag),
    )
  const decided = account.find(
    ({ host, record }) => host === from && record['goal'] === 'hand-over',
  )
  const prepared = done(to, 'handover')
  const still = done(from, 'handover')
  const handed = account.find(({ host, record }) => host === from && record['kind'] === 'meta')
  const serves = done(to, 'role')
  return {
    prepared: between(decided, prepared),
    stoodStill: between(prepared, still),
    compared: between(still, handed),
    tookUp: between(handed, serves),
  }
}

function between(one: Decision | undefined, other: Decision | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : other.at - one.at
}
