/**
 * What a release of twonode understands of another one's messages and of its hostMeta. A pair is upgraded
 * one host after the other, and either may be put back: so a format is read by one release before the next
 * one speaks it, and releases that follow each other understand each other both ways. Nothing is negotiated.
 * A new field is a new format.
 */
export interface Formats {
  readonly speaks: number
  readonly reads: readonly number[]
}

/** Of this release: the first format, and there is no other. */
export const FORMATS: Formats = { speaks: 1, reads: [1] }

export type FormatVerdict = 'read' | 'older' | 'newer' | 'none'

interface Row {
  readonly id: string
  readonly verdict: FormatVerdict
  readonly holds: (format: number, reads: readonly number[]) => boolean
}

/** The first that holds. What is not read is refused whole: half of a word about a pair is worse than none. */
export const FORMAT_ROWS: readonly Row[] = [
  { id: 'V1', verdict: 'none', holds: (format) => !Number.isSafeInteger(format) },
  { id: 'V2', verdict: 'read', holds: (format, reads) => reads.includes(format) },
  { id: 'V3', verdict: 'older', holds: (format, reads) => format < Math.max(...reads) },
  { id: 'V4', verdict: 'newer', holds: () => true },
]

/** What is to be made of something in this format. Pure. */
export function judgeFormat(format: unknown, { reads }: Formats = FORMATS): FormatVerdict {
  const number = typeof format === 'number' ? format : Number.NaN
  return FORMAT_ROWS.find(({ holds }) => holds(number, reads))?.verdict ?? 'none'
}

/** Whether two releases can be a pair for as long as an upgrade takes. */
export function understandEachOther(one: Formats, other: Formats): boolean {
  return one.reads.includes(other.speaks) && other.reads.includes(one.speaks)
}
