import type { JsonObject } from '../../core/json.ts'
import type { SalvagedObject } from '../../core/salvage.ts'
import { decodeObject } from '../../salvage/kubernetes_json.ts'
import { type Difference, differenceOf, type SalvagedVersions } from '../../salvage/object_words.ts'
import { type Kubectl, objectKey, objectsNow } from './cluster.ts'
import { changeAt, objectsOf, type Salvaged } from './folders.ts'

/** Classes of which an operator is told object by object. */
const TOLD: ReadonlySet<string> = new Set(['spec', 'derived'])

/** What the losing side had of each object that somebody wanted, against the cluster as it is now. */
export async function differencesOf(
  salvaged: Salvaged,
  kubectl: Kubectl,
): Promise<readonly Difference[]> {
  const told = (await objectsOf(salvaged)).filter((object) => TOLD.has(object.class))
  const named = told.filter(({ kind, name }) => kind !== '' && name !== '')
  const now = await objectsNow(kubectl, named)
  const differences: Difference[] = []
  for (const object of told) {
    const there = now.get(objectKey(object))
    const versions = await versionsOf(salvaged, object)
    const isGone = named.includes(object) && there === undefined
    const unreadable = isGone
      ? `its kind does not exist here any more (${object.apiVersion} ${object.kind})`
      : versions.unreadable
    differences.push(differenceOf({ ...versions, unreadable }, there ?? null))
  }
  return differences
}

async function versionsOf(salvaged: Salvaged, object: SalvagedObject): Promise<SalvagedVersions> {
  const [first, last] = [
    await changeAt(salvaged, object.first),
    await changeAt(salvaged, object.last),
  ]
  const before = first?.old_value ?? null
  const after = last?.value ?? null
  const [was, is] = [decoded(before), decoded(after)]
  const unreadable = whyUnreadable(object, { before, after, was, is })
  return { salvaged: object, before: was, after: is, unreadable }
}

interface Read {
  readonly before: string | null
  readonly after: string | null
  readonly was: JsonObject | null
  readonly is: JsonObject | null
}

function whyUnreadable({ kind, change }: SalvagedObject, { before, after, was, is }: Read) {
  if (change === 'deleted') return kind === '' ? 'what was deleted there can not be read' : null
  if (after === null) return 'its value was left out of the salvage: it is in the old table only'
  if (is === null)
    return 'what it was there can not be read: encrypted in the datastore, or of a kind that this program does not know'
  return before !== null && was === null ? 'what it was at the fork can not be read' : null
}

function decoded(base64: string | null): JsonObject | null {
  if (base64 === null) return null
  const found = decodeObject(Buffer.from(base64, 'base64'))
  // A field that is not known would be lost by a replay.
  return found === undefined || found.unread > 0 ? null : found.object
}
