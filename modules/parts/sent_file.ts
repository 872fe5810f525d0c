/** Schemas of what names a file that travels beside a plan. */

export const SHA256 = {
  type: 'string',
  pattern: '^[0-9a-f]{64}$',
  'x-form': 'a sha256 in 64 lower case hexadecimal digits',
} as const

export const FILE_HERE = {
  type: 'string',
  minLength: 1,
  'x-file': 'blob',
  description: 'A file on the machine that runs twonode.',
} as const

export const FILE_SENT = {
  type: 'string',
  minLength: 1,
  description: 'A file that the machine which runs twonode sends, known by its sha256.',
} as const
