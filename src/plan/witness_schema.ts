import type { Schema } from '../core/module.ts'
import { duration, object } from './inventory_forms.ts'
import { WITNESS_TIMEOUT_RANGE } from './inventory_ranges.ts'

/** `witness` of an inventory. */
export const WITNESS_SCHEMA: Schema = object(
  'Third party that keeps the claim of who leads, for `partition: consistency`: one of `http`, `file` and `script`.',
  {
    http: object(
      'A server with GET and conditional PUT (`If-Match`, `If-None-Match`): `twonode witness serve`, or an S3-like store.',
      {
        url: {
          type: 'string',
          minLength: 1,
          description:
            "Of the claim itself; `{site}` stands for the site's name. `twonode witness serve` has it at `/v1/claims/{site}`.",
        },
        ca: {
          type: 'string',
          pattern: '^-----BEGIN CERTIFICATE-----\n',
          'x-pattern-hint': 'Write the PEM text itself, as a block: `ca: |`.',
          description:
            "Certificate of the server's authority, in PEM. Default: those of the hosts.",
        },
        token: {
          type: 'string',
          'x-secret': true,
          description: 'Shown as a bearer token. Only with https.',
        },
      },
      ['url'],
    ),
    file: object(
      'A folder on a share that both hosts mount at the same place.',
      {
        directory: {
          type: 'string',
          pattern: '^/.+',
          'x-pattern-hint': 'An absolute path.',
          description: 'Made with `twonode witness init DIRECTORY`.',
        },
      },
      ['directory'],
    ),
    script: object(
      'A program on the hosts that reads and swaps the claim: docs/operations.md says how it is asked.',
      {
        command: {
          type: 'array',
          minItems: 1,
          items: { type: 'string', minLength: 1 },
          description: 'The program, by its absolute path, and its first arguments.',
        },
      },
      ['command'],
    ),
    timeout: duration('Bound of one request.', '1s', WITNESS_TIMEOUT_RANGE),
  },
)
