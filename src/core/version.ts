/**
 * True if one version is above another, by semantic versioning's order of its numbers; a pre-release
 * is below its release. What can't be read as a version is never newer.
 * @source https://semver.org/#spec-item-11
 */
export function isNewer(one: string, than: string): boolean {
  const a = parse(one)
  const b = parse(than)
  if (a === undefined || b === undefined) return false
  const difference = a.numbers.map((n, i) => n - (b.numbers[i] ?? 0)).find((d) => d !== 0)
  if (difference !== undefined) return difference > 0
  return !a.preRelease && b.preRelease
}

function parse(text: string): { numbers: readonly number[]; preRelease: boolean } | undefined {
  const found = /^v?(\d+)\.(\d+)\.(\d+)(-[\w.-]+)?(?:\+.*)?$/.exec(text)
  if (found === null) return undefined
  return { numbers: found.slice(1, 4).map(Number), preRelease: found[4] !== undefined }
}
