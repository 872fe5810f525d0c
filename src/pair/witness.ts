import type { Claim } from './claim.ts'

/** The third party that keeps the claim (A4). Each call ends within its own bound, and never throws. */
export interface Witness {
  read(): Promise<WitnessRead>
  /** Writes if the claim is still the version that was read; null: if there is none. Read it back. */
  swap(next: Claim, over: string | null): Promise<WitnessSwap>
  /** One that was never used. */
  nonce(): string
}

export type WitnessRead =
  | { readonly kind: 'claim'; readonly claim: Claim; readonly version: string }
  /** It answers, and keeps none: no reason to lead, for it may have lost it. */
  | { readonly kind: 'absent' }
  | WitnessSilent

export type WitnessSwap = { readonly kind: 'written' } | { readonly kind: 'lost' } | WitnessSilent

/** No answer that can be relied on; what was asked of it may still come about. */
export interface WitnessSilent {
  readonly kind: 'silent'
  readonly why: string
}
