import type { JsonObject } from '../../src/core/json.ts'
import { PATH_FORM } from './paths.ts'

/** One word of pg_hba.conf: `all`, `kine`, `+group`. Blanks, quotes and commas would be syntax. */
const WORD_FORM = {
  type: 'string',
  pattern: '^[^\\s"#,]+$',
  'x-form': 'one word without blanks, quotes or commas',
} as const

const LINE_FORM = {
  pattern: '^[^"\\n\\u0000]+$',
  'x-form': 'text on one line without quotes',
} as const

const settingsSchema = (description: string): JsonObject => ({
  type: 'object',
  propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_.]{0,62}$' },
  additionalProperties: { type: ['string', 'number', 'boolean'], pattern: '^[^\\n\\u0000]*$' },
  default: {},
  description,
})

/** @source https://www.postgresql.org/docs/15/auth-pg-hba-conf.html */
const HBA_SCHEMA: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'database', 'user', 'method'],
  properties: {
    type: {
      type: 'string',
      enum: ['local', 'host', 'hostssl', 'hostnossl'],
      description: 'How the client connects.',
    },
    database: { ...WORD_FORM, description: '`all`, `replication` or a name.' },
    user: { ...WORD_FORM, description: '`all`, a role, or `+role` for its members.' },
    address: {
      ...WORD_FORM,
      description: 'Network of the client, as `10.0.0.2/32`; not for `local`.',
    },
    method: {
      type: 'string',
      enum: ['trust', 'reject', 'scram-sha-256', 'md5', 'peer', 'ident', 'cert'],
      description: 'How it proves who it is.',
    },
    options: {
      type: 'object',
      additionalProperties: { type: 'string', ...LINE_FORM },
      description: "The method's options, such as `map`.",
    },
  },
}

const IDENT_SCHEMA: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['map', 'system', 'role'],
  properties: {
    map: { ...WORD_FORM, description: 'Name of the map.' },
    system: {
      type: 'string',
      ...LINE_FORM,
      description: 'User of the system, or certificate name.',
    },
    role: { ...WORD_FORM, description: 'Role that it may log in as.' },
  },
}

export const CLUSTER_SCHEMA: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['version'],
  properties: {
    version: {
      type: 'integer',
      minimum: 15,
      maximum: 30,
      description: 'Major version, installed.',
    },
    name: {
      type: 'string',
      pattern: '^[A-Za-z0-9_]{1,32}$',
      default: 'main',
      description: 'Name of the cluster.',
    },
    data_directory: {
      ...PATH_FORM,
      description: "Where its data is put when it is made. Default: Debian's place.",
    },
    port: { type: 'integer', minimum: 1, maximum: 65_535, default: 5432, description: 'TCP port.' },
    listen_addresses: {
      type: 'array',
      items: { ...WORD_FORM },
      uniqueItems: true,
      default: ['localhost'],
      description: 'Addresses it listens on; `*` for all.',
    },
    settings: settingsSchema('Parameters of the server.'),
    extra_settings: settingsSchema("More of them, that `settings` wins over: the inventory's."),
    tls: {
      type: 'object',
      additionalProperties: false,
      required: ['certificate', 'key', 'ca'],
      description: "Files of the server's certificate. Without it TLS is as it was.",
      properties: {
        certificate: { ...PATH_FORM, description: 'The certificate.' },
        key: { ...PATH_FORM, description: 'Its key, readable to postgres only.' },
        ca: { ...PATH_FORM, description: 'The authority that clients must be signed by.' },
      },
    },
    hba: {
      type: 'array',
      items: HBA_SCHEMA,
      default: [{ type: 'local', database: 'all', user: 'all', method: 'peer' }],
      description:
        'Who may connect, first match wins; after the line that lets root in as postgres.',
    },
    ident: {
      type: 'array',
      items: { ...IDENT_SCHEMA, description: 'One line.' },
      default: [],
      description: 'Who is who: lines of pg_ident.conf beside ours.',
    },
  },
}
