import type { Json, JsonObject } from '../core/json.ts'
import type { SalvagedObject } from '../core/salvage.ts'
import { pathText, same, valueAt, type Wish, wanted, wishesOf } from './wishes.ts'

/** An object of a losing branch with its values, decoded; null: not there, or left out. */
export interface SalvagedVersions {
  readonly salvaged: SalvagedObject
  readonly before: JsonObject | null
  readonly after: JsonObject | null
  /** Why there is nothing to show; null: there is. */
  readonly unreadable: string | null
}

/** What the losing side had of an object that the cluster has not, as it is now. */
export interface Difference {
  readonly salvaged: SalvagedObject
  /** `Deployment default/web` */
  readonly name: string
  /** `same`: the cluster has it all. `unreadable`: nobody can tell. */
  readonly kind: 'same' | 'missing' | 'differs' | 'deleted-there' | 'unreadable'
  /** A line each. */
  readonly words: readonly string[]
  /** What is not so in the cluster. */
  readonly wishes: readonly Wish[]
}

/** A value in words is no longer. @unit characters */
const LONGEST_VALUE = 120

export function objectName({ kind, namespace, name, key }: SalvagedObject): string {
  if (kind === '' || name === '') return key
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`
}

/** @param now - the object as the cluster has it; null: it has none. */
export function differenceOf(
  { salvaged, before, after, unreadable }: SalvagedVersions,
  now: JsonObject | null,
): Difference {
  const name = objectName(salvaged)
  const told = (
    kind: Difference['kind'],
    words: readonly string[],
    wishes: readonly Wish[] = [],
  ) => ({
    salvaged,
    name,
    kind,
    words,
    wishes,
  })
  if (unreadable !== null) return told('unreadable', [`${name}: ${unreadable}`])
  if (salvaged.change === 'deleted')
    return now === null
      ? told('same', [`${name}: was deleted there, and is not here either`])
      : told('deleted-there', [`${name}: is here, was deleted there`])
  if (after === null) return told('unreadable', [`${name}: its last value was left out`])
  const theirs = wanted(after)
  const isSecret = salvaged.kind === 'Secret'
  if (now === null) {
    const wishes = wishesOf({}, theirs)
    return salvaged.change === 'created' || salvaged.change === 'unknown'
      ? told('missing', [`${name}: is not here, was created there`], wishes)
      : told('missing', [`${name}: is not here any more, was changed there`], wishes)
  }
  const ours = wanted(now)
  // Without its value at the fork all that it was counts as wished for.
  const base = before === null ? {} : wanted(before)
  const wishes = leaves(wishesOf(base, theirs)).filter(
    ({ path, after: wish }) => !same(valueAt(ours, path), wish),
  )
  if (wishes.length === 0) return told('same', [`${name}: is the same here now`])
  const words = wishes.map(
    (wish) => `${name}: ${wishText(wish, valueAt(ours, wish.path), isSecret)}`,
  )
  return told('differs', words, wishes)
}

/** A wish for a whole map, place by place: the cluster may have set more in it. */
function leaves(wishes: readonly Wish[]): readonly Wish[] {
  return wishes.flatMap((wish) => {
    const parts = wish.before === undefined ? wishesOf({}, wish.after) : []
    const isWhole = parts.length === 0 || (parts.length === 1 && parts[0]?.path.length === 0)
    if (isWhole) return [wish]
    return leaves(parts.map((part) => ({ ...part, path: [...wish.path, ...part.path] })))
  })
}

function wishText({ path, after }: Wish, now: Json | undefined, isSecret: boolean): string {
  const place = pathText(path)
  // Of a secret nothing is shown but where it differs.
  if (isSecret) return `${place} differs (not shown)`
  const [here, there] = [valueText(now), valueText(after)]
  if (now === undefined) return `${place} is not set here, was ${there} there`
  if (after === undefined) return `${place} is ${here} here, was removed there`
  return `${place} is ${here} here, was ${there} there`
}

function valueText(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? ''
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}…`
}
