import { TwonodeError } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'

/** One file of a site's bundle. */
export interface Member {
  /** Where it lies in the archive: plain names, by slashes; it leads nowhere else. */
  readonly name: string
  readonly sha256: string
  /** @unit bytes */
  readonly size: number
  readonly executable: boolean
}

/** What a bundle holds, and for whom: its first member, and all that the others are held to. */
export interface Manifest {
  readonly format: 1
  /** Name of the site. */
  readonly site: string
  /** Of twonode. */
  readonly version: string
  /** Of the hosts that it is for, as `uname -m` names them, sorted. */
  readonly architectures: readonly string[]
  /** Sorted by name. */
  readonly members: readonly Member[]
}

export const MANIFEST_NAME = 'manifest.json'

const FORMAT = 1

/** A bundle has some hundred Debian packages and a dozen files: this is no limit of use. */
const MEMBERS_MOST = 10_000

/** Eight gigabytes, the most that a tar header's size can say in its own form. @unit bytes */
const SIZE_MOST = 8 ** 11 - 1

/** A tar header has 100 bytes for it. */
const NAME = /^(?=.{1,100}$)[A-Za-z0-9_][A-Za-z0-9._+~:=@-]*(\/[A-Za-z0-9_][A-Za-z0-9._+~:=@-]*)*$/
const SHA256 = /^[0-9a-f]{64}$/

/** The same manifest gives the same text, byte for byte. */
export function manifestText(manifest: Omit<Manifest, 'format'>): string {
  const { site, version, architectures, members } = manifest
  const sorted = members.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const plain = sorted.map(({ name, sha256, size, executable }) => ({
    name,
    sha256,
    size,
    executable,
  }))
  return `${JSON.stringify({ format: FORMAT, site, version, architectures, members: plain }, null, 1)}\n`
}

/** @throws {TwonodeError} E_SITE_BUNDLE */
export function parseManifest(text: string): Manifest {
  const found = parseJson(text)
  if (!isObject(found)) throw unusable('its manifest is no JSON object')
  const { format, site, version, architectures, members } = found
  if (typeof format === 'number' && format > FORMAT)
    throw unusable(`it is of format ${format}, and this twonode knows format ${FORMAT}`, NEWER)
  if (format !== FORMAT) throw unusable('its manifest names no format')
  if (typeof site !== 'string' || typeof version !== 'string')
    throw unusable('its manifest names no site, or no version')
  if (!Array.isArray(architectures) || !architectures.every((one) => typeof one === 'string'))
    throw unusable('its manifest names no architectures')
  if (!Array.isArray(members) || members.length > MEMBERS_MOST)
    throw unusable('its manifest lists no members')
  const checked = members.map(memberOf)
  for (const [index, { name }] of checked.entries()) {
    const before = checked[index - 1]
    if (before !== undefined && before.name >= name)
      throw unusable(`its manifest lists '${name}' twice, or out of order`)
  }
  const manifest = { format: FORMAT, site, version, architectures, members: checked } as const
  if (manifestText(manifest) !== text) throw unusable('its manifest is not as twonode writes it')
  return manifest
}

function memberOf(found: unknown): Member {
  if (!isObject(found)) throw unusable('its manifest lists a member that is no object')
  const { name, sha256, size, executable } = found
  if (typeof name !== 'string' || !NAME.test(name) || name === MANIFEST_NAME)
    throw unusable(`its manifest lists a member with the name ${JSON.stringify(name)}`)
  if (typeof sha256 !== 'string' || !SHA256.test(sha256))
    throw unusable(`its manifest has no sha256 of '${name}'`)
  const isSize = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0
  if (!isSize || size > SIZE_MOST) throw unusable(`its manifest has no size of '${name}'`)
  if (typeof executable !== 'boolean')
    throw unusable(`its manifest does not say whether '${name}' is executable`)
  return { name, sha256, size, executable }
}

const NEWER = 'Use a twonode that is as new as the one that made it.'

/** A refusal of a bundle: nothing was written. */
export function unusable(why: string, hint?: string, detail?: string): TwonodeError {
  return new TwonodeError('E_SITE_BUNDLE', `the bundle can not be used: ${why}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(detail === undefined ? {} : { detail }),
  })
}
