import type { JsonObject } from '../../core/json.ts'
import type { SalvageCount, SalvageManifest } from '../../core/salvage.ts'
import { type Difference, objectName } from '../../salvage/object_words.ts'
import { objectsOf, type Salvaged } from './folders.ts'

/** What each class is called where it is counted. */
const CLASS_WORDS: Readonly<Record<keyof SalvageManifest['counts'], string>> = {
  spec: 'changes that somebody wanted',
  derived: 'objects that a controller made',
  status: 'status',
  lease: 'heartbeats and locks',
  event: 'events',
  own: "rows of kine's and twonode's own",
}

export function listLine(salvaged: Salvaged): string {
  const { name, manifest } = salvaged
  const { branch, host, successor, at } = manifest
  const lost = `branch ${branch} of ${host}, lost to branch ${successor.branch} of ${successor.leader}`
  return `${name.padEnd(12)}  ${lost}  saved ${at}  ${specText(manifest)}  ${standing(salvaged)}`
}

function specText({ counts, exact }: SalvageManifest): string {
  const { objects } = counts.spec
  const what = `${objects === 1 ? 'one object' : `${objects} objects`} changed by somebody`
  return exact ? what : `${what} (not exact)`
}

function standing({ settled, manifest }: Salvaged): string {
  if (settled !== null) return `${settled.kind} ${settled.at} by the ${settled.by}`
  return waits(manifest) ? 'waits to be looked at' : 'waits for nobody'
}

/** Somebody has to decide: it has more than heartbeats, events and status, or nobody can tell. */
export function waits(manifest: SalvageManifest): boolean {
  const { counts } = manifest
  return counts.spec.objects + counts.derived.objects > 0 || gapOf(manifest) !== null
}

/** Why the losing branch may have had more than was saved of it; null: this is all. */
export function gapOf({ exact, inexact, missing }: SalvageManifest): string | null {
  return exact ? missing : [inexact ?? 'it is not exact', missing ?? []].flat().join('; ')
}

export async function showLines(salvaged: Salvaged): Promise<readonly string[]> {
  const { manifest, settled } = salvaged
  const { transactions, from, until, counts } = manifest
  const when = from === null ? '' : `, from ${from} to ${until}`
  const lines = [
    listLine(salvaged),
    `  ${transactions} transactions beyond the fork${when}`,
    ...gapLines(manifest).map((line) => `  ${line}`),
    ...classLines(counts),
  ]
  if (settled?.kind === 'discarded') return lines
  const told = (await objectsOf(salvaged)).filter(
    ({ class: of }) => of === 'spec' || of === 'derived',
  )
  return [
    ...lines,
    ...told.map(({ change, changes, owner, ...object }) => {
      const of = owner === null ? '' : `, made of ${owner}`
      const what = change === 'unknown' ? 'as this host had it' : change
      return `  ${objectName({ change, changes, owner, ...object })}: ${what} (${times(changes)}${of})`
    }),
  ]
}

function gapLines({ inexact, missing }: SalvageManifest): readonly string[] {
  return [
    ...(inexact === null ? [] : [`not exact: ${inexact}`]),
    ...(missing === null ? [] : [`not all of it: ${missing}`]),
  ]
}

function classLines(counts: SalvageManifest['counts']): readonly string[] {
  return (Object.entries(counts) as [keyof typeof counts, SalvageCount][])
    .filter(([, { changes }]) => changes > 0)
    .map(([name, count]) => `  ${countText(name, count)}`)
}

function countText(name: keyof SalvageManifest['counts'], { objects, changes }: SalvageCount) {
  const of = objects === 0 ? '' : ` of ${objects === 1 ? 'one object' : `${objects} objects`}`
  return `${CLASS_WORDS[name]}: ${times(changes)}${of}`
}

function times(changes: number): string {
  return changes === 1 ? 'one change' : `${changes} changes`
}

/** The differences, what the cluster has already, and in one line what nobody wants back. */
export function diffLines(
  { name, manifest }: Salvaged,
  differences: readonly Difference[],
): readonly { readonly text: string; readonly data: JsonObject }[] {
  const lines = differences.flatMap((one) =>
    one.words.map((text) => ({
      text: one.salvaged.owner === null ? text : `${text} (made of ${one.salvaged.owner})`,
      data: {
        object: one.name,
        key: one.salvaged.key,
        class: one.salvaged.class,
        kind: one.kind,
        text,
      },
    })),
  )
  const others = (['status', 'lease', 'event'] as const).flatMap((of) => {
    const count = manifest.counts[of]
    return count.changes === 0 ? [] : [countText(of, count)]
  })
  const rest = others.length === 0 ? [] : [`beside them ${others.join('; ')}`]
  const exact = gapLines(manifest)
  const none =
    differences.length === 0 ? [`${name}: nothing that somebody wanted is only there`] : []
  return [...lines, ...[...none, ...rest, ...exact].map((text) => ({ text, data: { note: text } }))]
}
