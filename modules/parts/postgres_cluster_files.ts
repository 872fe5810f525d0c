import type { Change, Validator } from '../../src/core/change.ts'
import type { FileStat } from '../../src/core/host.ts'
import { attributeChanges } from './ownership.ts'
import { MAINTENANCE_DATABASE } from './postgres_sql.ts'

type SettingValue = string | number | boolean

interface HbaRule {
  readonly type: string
  readonly database: string
  readonly user: string
  readonly address?: string
  readonly method: string
  readonly options?: Readonly<Record<string, string>>
}

interface IdentEntry {
  readonly map: string
  readonly system: string
  readonly role: string
}

export interface ClusterArgs {
  readonly version: number
  readonly name: string
  readonly data_directory?: string
  readonly port: number
  readonly listen_addresses: readonly string[]
  readonly settings: Readonly<Record<string, SettingValue>>
  readonly extra_settings: Readonly<Record<string, SettingValue>>
  readonly tls?: { readonly certificate: string; readonly key: string; readonly ca: string }
  readonly hba: readonly HbaRule[]
  readonly ident: readonly IdentEntry[]
}

const HEADER = '# Written by twonode: the next converge puts back what is changed here.\n'

/**
 * SQL is spoken as postgres over the socket, by root. These lines come first, so that no other can
 * shut us out; they need no SQL themselves.
 */
const OUR_MAP = 'twonode'
const OUR_HBA: HbaRule = {
  type: 'local',
  database: 'all',
  user: 'postgres',
  method: 'peer',
  options: { map: OUR_MAP },
}
const OUR_IDENT: readonly IdentEntry[] = [
  { map: OUR_MAP, system: 'root', role: 'postgres' },
  { map: OUR_MAP, system: 'postgres', role: 'postgres' },
]

/** Where Debian keeps a cluster. @source postgresql-common(7) */
export function clusterPaths({ version, name }: Pick<ClusterArgs, 'version' | 'name'>) {
  const directory = `/etc/postgresql/${version}/${name}`
  return {
    directory,
    conf: `${directory}/conf.d/twonode.conf`,
    hba: `${directory}/pg_hba.conf`,
    ident: `${directory}/pg_ident.conf`,
    main: `${directory}/postgresql.conf`,
    binary: `/usr/lib/postgresql/${version}/bin/postgres`,
    log: `/var/log/postgresql/postgresql-${version}-${name}.log`,
    unit: `postgresql@${version}-${name}.service`,
    dataDirectory: `/var/lib/postgresql/${version}/${name}`,
  }
}

/** All settings that the cluster owns, as text. The playbook's win over the inventory's. */
export function ownedSettings(args: ClusterArgs): Readonly<Record<string, string>> {
  const tls = args.tls && {
    ssl: 'on',
    ssl_cert_file: args.tls.certificate,
    ssl_key_file: args.tls.key,
    ssl_ca_file: args.tls.ca,
    ssl_min_protocol_version: 'TLSv1.2',
  }
  const all = {
    ...args.extra_settings,
    ...tls,
    ...args.settings,
    listen_addresses: args.listen_addresses.join(', '),
    port: args.port,
  }
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, settingText(value)]))
}

function settingText(value: SettingValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return String(value)
}

export interface ClusterFile {
  readonly path: string
  readonly content: string
  readonly mode: number
  readonly validate?: Validator
}

/** The files that the cluster owns whole, in the order in which they are written. */
export function clusterFiles(args: ClusterArgs, dataDirectory: string): readonly ClusterFile[] {
  const paths = clusterPaths(args)
  return [
    {
      path: paths.ident,
      content: HEADER + unique([...OUR_IDENT, ...args.ident].map(identLine)),
      mode: 0o640,
      validate: complaints('select line_number, error from pg_ident_file_mappings'),
    },
    {
      path: paths.hba,
      content: HEADER + unique([OUR_HBA, ...args.hba].map(hbaLine)),
      mode: 0o640,
      validate: complaints('select line_number, error from pg_hba_file_rules'),
    },
    {
      path: paths.conf,
      content: HEADER + Object.entries(ownedSettings(args)).map(settingLine).join(''),
      mode: 0o644,
      // The server's own parser, on the new file alone: a bad value never gets to a restart.
      validate: {
        kind: 'exec',
        argv: [paths.binary, '-C', 'port', '-D', dataDirectory, '-c', 'config_file={}'],
      },
    },
  ]
}

const complaints = (text: string): Validator => ({
  kind: 'sql',
  database: MAINTENANCE_DATABASE,
  text: `${text} where error is not null`,
})

/** The names that a file of ours sets. */
export function namesIn(content: string): readonly string[] {
  return [...content.matchAll(/^([a-z_][a-z0-9_.]*) = /gim)].map(([, name = '']) => name)
}

function settingLine([name, value]: readonly [string, string]): string {
  return `${name} = '${value.replaceAll(/(['\\])/g, '$1$1')}'\n`
}

function hbaLine({ type, database, user, address = '', method, options = {} }: HbaRule): string {
  const words = Object.entries(options).map(([name, value]) => `${name}=${quoted(value)}`)
  const fields = [type, database, user, address, method, ...words]
  return `${fields.filter((field) => field !== '').join(' ')}\n`
}

function identLine({ map, system, role }: IdentEntry): string {
  return `${[map, system, role].map(quoted).join(' ')}\n`
}

function quoted(word: string): string {
  return /^[\w.@/-]+$/.test(word) ? word : `"${word}"`
}

function unique(lines: readonly string[]): string {
  return [...new Set(lines)].join('')
}

export interface FoundFile {
  readonly content: string
  readonly stat: FileStat
}

const OWNER = { owner: 'postgres', group: 'postgres' } as const

/** What makes a file as it should be: nothing, its owner and mode, or all of it. */
export function fileChanges(file: ClusterFile, found: FoundFile | undefined): readonly Change[] {
  const { path, content, mode, validate } = file
  if (found?.content === content) return attributeChanges(path, found.stat, { mode, ...OWNER })
  return [
    {
      kind: 'write',
      path,
      content,
      mode,
      ...OWNER,
      before: found?.content,
      ...(validate === undefined ? {} : { validate }),
    },
  ]
}
