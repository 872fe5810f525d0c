import type { Claim } from '../../src/pair/claim.ts'
import type { Witness } from '../../src/pair/witness.ts'

/** A claim of this site by this host. */
export function claimBy(holder: string, term: number, nonce: string): Claim {
  return { format: 1, site: 'lab', term, holder, mode: 'alone', nonce }
}

/** What a witness keeps, as `term holder`; or why it is not known. */
export async function keptBy(witness: Witness): Promise<string> {
  const read = await witness.read()
  if (read.kind === 'claim') return `${read.claim.term} ${read.claim.holder}`
  return read.kind === 'absent' ? 'absent' : read.why
}

/** The version of what a witness keeps. */
export async function versionOf(witness: Witness): Promise<string> {
  const read = await witness.read()
  if (read.kind !== 'claim') throw new Error(`it keeps none: ${JSON.stringify(read)}`)
  return read.version
}

/** Both swap the same version at once: what each was told, and what is kept then. */
export async function raced(one: Witness, other: Witness, term: number) {
  const version = await versionOf(one)
  const told = await Promise.all([
    one.swap(claimBy('h1', term, `h1-${term}`), version),
    other.swap(claimBy('h2', term, `h2-${term}`), version),
  ])
  return { told: told.map(({ kind }) => kind), kept: await keptBy(one) }
}
