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

/** The archive of images that k3s publishes with each release. */
export const K3S_IMAGES = 'k3s-airgap-images-amd64.tar.zst'

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
  ...file('Binary'),
})

/** A file by `path` or `url`. */
const file = (what: string): JsonObject => ({
  path: {
    type: 'string',
    minLength: 1,
    description: `${what} beside the inventory; sent by SSH.`,
  },
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
    description: `Checksum of it. For \`path\` it is computed when it is not given.`,
  },
})

/** An archive of container images. */
export const images: Schema = object(
  "Archive of images for hosts that reach no registry: put where k3s takes it in when it starts. `{}` is the release's own.",
  file('Archive'),
)

/** A network, as ADDRESS/PREFIX. */
export const network = (preset: string, description: string): Schema => ({
  type: 'string',
  default: preset,
  description,
})
