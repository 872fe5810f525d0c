import type { Place } from '../core/place.ts'
import { formatPlace } from '../core/place.ts'
import type { Role } from '../core/site.ts'
import type { Problems } from './problems.ts'

/** A task that manages an object on a host while that host has a role. */
export interface Claim {
  readonly key: string
  readonly host: string
  /** Undefined: in either role. */
  readonly role: Role | undefined
  readonly task: string
  readonly place: Place
}

const ROLES: readonly Role[] = ['leader', 'follower']

/**
 * Who manages what. Two tasks that own the same object would undo each other in every run, so the
 * second is refused; a leader's and a follower's task never meet on one host.
 */
export class Ownership {
  readonly #owners = new Map<string, Claim>()
  readonly #problems: Problems

  constructor(problems: Problems) {
    this.#problems = problems
  }

  claim(claim: Claim): void {
    const roles = claim.role === undefined ? ROLES : [claim.role]
    for (const role of roles) {
      const id = JSON.stringify([claim.host, role, claim.key])
      const owner = this.#owners.get(id)
      if (owner === undefined) this.#owners.set(id, claim)
      else if (formatPlace(owner.place) !== formatPlace(claim.place)) this.#refuse(claim, owner)
    }
  }

  #refuse({ key, place }: Claim, owner: Claim): void {
    const message = `${key} is managed by "${owner.task}" at ${formatPlace(owner.place)} already`
    this.#problems.add('E_OWNED_TWICE', message, place)
  }
}
