import { closest, distance } from 'fastest-levenshtein'

/** The name that was probably meant: at most a third of its letters differ. Undefined: none is near. */
function nearest(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined
  const candidate = closest(name, known)
  // Rounded up: two letters that changed places are two edits, in a name of four too.
  const bound = Math.ceil(Math.max(name.length, candidate.length) / 3)
  return distance(name, candidate) <= bound ? candidate : undefined
}

/** A hint for an unknown name: the nearest one, or the few that there are. */
export function didYouMean(name: string, known: readonly string[]): string {
  const candidate = nearest(name, known)
  if (candidate !== undefined) return `Did you mean \`${candidate}\`?`
  return known.length === 0 ? 'There is none.' : `Known: ${known.toSorted().join(', ')}.`
}
