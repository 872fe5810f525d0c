import type { JsonObject } from '../core/json.ts'
import type { Schema } from '../core/module.ts'
import { type Range, rangeWords } from './inventory_ranges.ts'

/** A TCP port. */
export const port = (preset: number, description: string): Schema => ({
  type: 'integer',
  minimum: 1,
  maximum: 65_535,
  default: preset,
  description,
})

/** Text with a unit of time; `range` is told of at the end of its description. */
export const duration = (description: string, preset?: string, range?: Range): Schema => ({
  type: 'string',
  'x-unit': 'duration',
  description: range === undefined ? description : `${description} ${rangeWords(range)}.`,
  ...(range === undefined ? {} : { 'x-range': { ...range } }),
  ...(preset === undefined ? {} : { default: preset }),
})

/** A map with these keys and no others. */
export const object = (
  description: string,
  properties: JsonObject,
  required: readonly string[] = [],
): Schema => ({ type: 'object', additionalProperties: false, description, properties, required })

/** Where nobody says another one. */
export const KINE_RELEASE = 'v0.16.4'
export const K3S_RELEASE = 'v1.34.1+k3s1'

/** The binary of kine and of k3s: of a release, or by `path` or `url`. */
export const binary = (version: string, what: string): JsonObject => ({
  version: {
    type: 'string',
    default: version,
    description: `Version of ${what}. Without \`path\` and \`url\` the binary is that of this release, fetched once by the machine that runs twonode and held to the published sha256sum file.`,
  },
  mirror: {
    type: 'string',
    pattern: '^https?://.+',
    'x-pattern-hint': 'Write an http or https address: MIRROR/VERSION/FILE is fetched.',
    description: `Folder of releases in place of the project's own: MIRROR/VERSION/FILE.`,
  },
  path: { type: 'string', minLength: 1, description: 'Binary beside the inventory; sent by SSH.' },
  url: {
    type: 'string',
    pattern: '^https?://.+',
    'x-pattern-hint': 'Write an http or https URL.',
    description: 'Fetched by the hosts themselves; needs `sha256`.',
  },
  sha256: {
    type: 'string',
    pattern: '^[0-9a-f]{64}$',
    'x-pattern-hint': '64 lower-case hexadecimal digits, as sha256sum prints them.',
    description: 'Checksum of the binary. For `path` it is computed when it is not given.',
  },
})

/** A network, as ADDRESS/PREFIX. */
export const network = (preset: string, description: string): Schema => ({
  type: 'string',
  default: preset,
  description,
})
