import {
  type Range,
  SALVAGE_CLASSES,
  type SalvageClass,
  type SalvageCount,
  type SalvagedObject,
} from '../core/salvage.ts'
import { classify, classOfKey } from './classify.ts'
import type { RowChange } from './kine_row.ts'
import { type StoredObject, storedObject } from './stored_object.ts'

/** More than any branch of an edge cluster changes; each takes some hundred bytes. */
export const MOST_OBJECTS = 20_000

interface Seen {
  readonly hadBefore: boolean
  readonly before: StoredObject | undefined
  readonly first: Range | null
  after: StoredObject | undefined
  last: Range | null
  deleted: boolean
  changes: number
}

/**
 * What a branch did, object by object, gathered in one pass and in memory of a bounded size: of each
 * object what it was at the fork and what it is at the end, as far as that is needed to tell what changed.
 */
export class BranchObjects {
  readonly #seen = new Map<string, Seen>()
  readonly #forkKnown: boolean
  readonly #counts = new Map<SalvageClass, { objects: number; changes: number }>()
  /** Changes of objects that did not fit. */
  beyond = 0

  /** @param forkKnown - false: what an object was at the fork is not among what is added. */
  constructor(forkKnown: boolean) {
    this.#forkKnown = forkKnown
  }

  /** True: nothing of this object was added before. */
  isFirst({ name }: RowChange): boolean {
    return name !== null && !this.#seen.has(name)
  }

  /** @param range - where the change is kept; null: its values are not. */
  add(row: RowChange, range: Range | null): void {
    const { name } = row
    const known = name === null ? 'own' : classOfKey(name)
    // kine deletes by ids what it compacts; events are never looked at again.
    if (name === null || known === 'own' || known === 'event')
      return this.#count(known ?? 'own', { objects: row.created ? 1 : 0, changes: 1 })
    const seen = this.#seen.get(name)
    const after = known === undefined ? read(row.value) : undefined
    if (seen !== undefined) {
      seen.after = after ?? seen.after
      seen.last = range
      seen.deleted = row.deleted
      seen.changes += 1
      return
    }
    if (this.#seen.size >= MOST_OBJECTS) {
      this.beyond += 1
      return this.#count('spec', { objects: 0, changes: 1 })
    }
    const hadBefore = !row.created
    const before = hadBefore && known === undefined ? read(row.oldValue) : undefined
    const { deleted } = row
    this.#seen.set(name, {
      hadBefore,
      before,
      first: range,
      after,
      last: range,
      deleted,
      changes: 1,
    })
  }

  /** All that fitted, by their keys, and then {@link counts} is whole. */
  *objects(): Generator<SalvagedObject> {
    for (const [key, seen] of [...this.#seen].toSorted(([one], [other]) =>
      one < other ? -1 : 1,
    )) {
      const object = this.#objectOf(key, seen)
      this.#count(object.class, { objects: 1, changes: object.changes })
      yield object
    }
  }

  counts(): Readonly<Record<SalvageClass, SalvageCount>> {
    const none = { objects: 0, changes: 0 }
    const pairs = SALVAGE_CLASSES.map((name) => [name, this.#counts.get(name) ?? none] as const)
    return Object.fromEntries(pairs) as Record<SalvageClass, SalvageCount>
  }

  #objectOf(key: string, seen: Seen): SalvagedObject {
    const { before, after, first, last, changes } = seen
    const change = this.#forkKnown ? changeOf(seen) : 'unknown'
    const object = after ?? before
    return {
      key,
      class: classify({ key, change, before, after }),
      change,
      apiVersion: object?.apiVersion ?? '',
      kind: object?.kind ?? '',
      namespace: object?.namespace ?? '',
      name: object?.name ?? '',
      owner: object?.owner ?? null,
      changes,
      first,
      last,
    }
  }

  #count(name: SalvageClass, { objects, changes }: SalvageCount): void {
    const count = this.#counts.get(name) ?? { objects: 0, changes: 0 }
    count.objects += objects
    count.changes += changes
    this.#counts.set(name, count)
  }
}

/** What can not be read may have changed. */
function changeOf({ hadBefore, before, after, deleted }: Seen): SalvagedObject['change'] {
  if (!hadBefore) return deleted ? 'none' : 'created'
  if (deleted) return 'deleted'
  return before !== undefined && before.wanted === after?.wanted ? 'none' : 'changed'
}

function read(value: Buffer | null): StoredObject | undefined {
  return value === null ? undefined : storedObject(value)
}
