/** The middle of a list of at least one number; of an even list the lower middle: a time that was seen. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted[Math.floor((sorted.length - 1) / 2)]
  if (middle === undefined) throw new RangeError('no values')
  return middle
}
