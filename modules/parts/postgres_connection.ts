import type { JsonObject } from '../../src/core/json.ts'
import { NAME_FORM } from './postgres_sql.ts'

/** Where a subscriber finds its publisher. Certificates only: no argument can hold a password. */
export interface Connection {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly application_name?: string
  readonly sslmode: string
  readonly sslcert?: string
  readonly sslkey?: string
  readonly sslrootcert?: string
  readonly connect_timeout: number
  readonly tcp_user_timeout: number
}

const fileSchema = (description: string) => ({ type: 'string', pattern: '^/', description })

/** @source https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-PARAMKEYWORDS */
export const CONNECTION_SCHEMA: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['host', 'user', 'database'],
  description: 'How it reaches the publisher.',
  properties: {
    host: {
      type: 'string',
      minLength: 1,
      description: 'IP address, or the directory of a socket.',
    },
    port: { type: 'integer', minimum: 1, maximum: 65_535, default: 5432, description: 'TCP port.' },
    user: { ...NAME_FORM, description: 'Role to log in as.' },
    database: { ...NAME_FORM, description: 'Database of the publication.' },
    application_name: {
      ...NAME_FORM,
      description: 'Name in pg_stat_replication and synchronous_standby_names.',
    },
    sslmode: {
      type: 'string',
      enum: ['disable', 'require', 'verify-ca', 'verify-full'],
      default: 'verify-full',
      description: 'What TLS must prove.',
    },
    sslcert: fileSchema("The client's certificate."),
    sslkey: fileSchema('Its key.'),
    sslrootcert: fileSchema('Certificate of the authority that signed the server.'),
    connect_timeout: {
      type: 'integer',
      minimum: 2,
      maximum: 60,
      default: 3,
      description: 'Bound of connecting, in seconds.',
    },
    tcp_user_timeout: {
      type: 'integer',
      minimum: 1_000,
      maximum: 600_000,
      default: 10_000,
      description: 'How long sent data may stay unacknowledged, in milliseconds.',
    },
  },
}

/** Its words for libpq, always in this order: the catalogue's text is compared with it. */
export function connectionText(connection: Connection): string {
  const { host, port, user, database, application_name, ...rest } = connection
  const words: Readonly<Record<string, string | number | undefined>> = {
    host,
    port,
    user,
    dbname: database,
    application_name,
    sslmode: rest.sslmode,
    sslcert: rest.sslcert,
    sslkey: rest.sslkey,
    sslrootcert: rest.sslrootcert,
    connect_timeout: rest.connect_timeout,
    tcp_user_timeout: rest.tcp_user_timeout,
  }
  return Object.entries(words)
    .filter(([, value]) => value !== undefined)
    .map(([word, value]) => `${word}='${String(value).replaceAll(/(['\\])/g, '\\$1')}'`)
    .join(' ')
}
