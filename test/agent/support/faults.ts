import { Faults } from '../../../src/agent/faults.ts'

/** Faults, and the words of those that were told. */
export function collectFaults(): { readonly faults: Faults; readonly told: string[] } {
  const told: string[] = []
  return { faults: new Faults(({ what, message }) => told.push(`${what}: ${message}`)), told }
}
