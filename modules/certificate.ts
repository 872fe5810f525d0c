import { BACKDATED_MS, type CertificateInfo } from '../src/core/certificate.ts'
import type { Change } from '../src/core/change.ts'
import { SITE_SECRET_FILES, type FileStat } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import {
  attributeChanges,
  OWNER_PROPERTIES,
  requireOwners,
  requireParent,
} from './parts/ownership.ts'
import { PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly path: string
  readonly key: string
  readonly common_name: string
  readonly sans: readonly string[]
  readonly usages: readonly ('server' | 'client')[]
  readonly valid_days: number
  readonly renew_before_days: number
  readonly issued_after: string
  readonly owner: string
  readonly group: string
}

interface State {
  readonly certificate: CertificateInfo | undefined
  readonly stats: {
    readonly certificate: FileStat | undefined
    readonly key: FileStat | undefined
  }
  /** @unit milliseconds since 1970 */
  readonly nowMs: number
}

const DAY_MS = 86_400_000

/** A converge that was cut has issued it a moment ago. @unit milliseconds */
const FRESH_MS = 600_000

export const certificate = defineModule<Args, State>({
  name: 'certificate',
  doc: {
    summary: "A key and a certificate of this host, signed by the site's authority.",
    notes: [
      'The authority is that of `site_secret: {name: ca}`. A new pair is issued when there is none, when names, usages or authority differ, when the key is another one, or when less than `renew_before_days` are left.',
      'Its beginning is backdated by a year, for clocks lie. The key is readable by its owner only.',
    ].join('\n\n'),
    source: 'https://www.postgresql.org/docs/15/ssl-tcp.html',
    examples: [
      {
        title: "PostgreSQL's server certificate",
        args: {
          path: '/etc/twonode/tls/postgres.crt',
          key: '/etc/twonode/tls/postgres.key',
          common_name: 'h1',
          sans: ['10.77.0.11', 'localhost'],
          usages: ['server'],
          owner: 'postgres',
          group: 'postgres',
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['path', 'key', 'common_name', 'usages'],
    properties: {
      path: { ...PATH_FORM, description: 'File of the certificate, PEM.' },
      key: { ...PATH_FORM, description: 'File of the private key, PEM.' },
      common_name: {
        type: 'string',
        minLength: 1,
        maxLength: 64,
        description: 'Subject. PostgreSQL takes a client for the role of this name.',
      },
      sans: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        uniqueItems: true,
        default: [],
        description: 'Addresses and names that a server answers under.',
      },
      usages: {
        type: 'array',
        items: { type: 'string', enum: ['server', 'client'] },
        minItems: 1,
        uniqueItems: true,
        description: 'What it is for.',
      },
      valid_days: {
        type: 'integer',
        minimum: 1,
        maximum: 36_500,
        default: 365,
        description: 'How long a new one is valid. Days.',
      },
      renew_before_days: {
        type: 'integer',
        minimum: 0,
        default: 120,
        description: 'A new one is issued when this many days are left.',
      },
      issued_after: {
        type: 'string',
        pattern: '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$',
        'x-form': "a time such as '2026-11-22T16:30:00Z', or nothing",
        default: '',
        description: 'One that is older than this is issued anew. Default: age alone is no reason.',
      },
      ...OWNER_PROPERTIES,
    },
  },

  key: ({ path, key }) => [`file:${path}`, `file:${key}`],

  async observe(host, args) {
    const { path, key } = args
    await Promise.all([
      requireOwners(host, args),
      requireParent(host, path),
      requireParent(host, key),
    ])
    const query = { caCertificatePath: SITE_SECRET_FILES.ca.certificate, keyPath: key }
    const [info, certificateStat, keyStat] = await Promise.all([
      host.certificate(path, query),
      host.stat(path),
      host.stat(key),
    ])
    return {
      certificate: info,
      stats: { certificate: certificateStat, key: keyStat },
      nowMs: host.now(),
    }
  },

  refuse: (_, { valid_days, renew_before_days }) =>
    renew_before_days < valid_days
      ? undefined
      : `renew_before_days (${renew_before_days}) must be less than valid_days (${valid_days})`,

  diff(state, args): readonly Change[] {
    const why = reasonToIssue(state, args)
    if (why !== undefined) return [issue(args, why)]
    const { owner, group } = args
    const { certificate: certificateStat, key: keyStat } = state.stats
    return [
      ...(certificateStat === undefined
        ? []
        : attributeChanges(args.path, certificateStat, { owner, group, mode: 0o644 })),
      ...(keyStat === undefined
        ? []
        : attributeChanges(args.key, keyStat, { owner, group, mode: 0o600 })),
    ]
  },

  result: ({ certificate: info, nowMs }) =>
    info?.kind === 'certificate'
      ? { daysLeft: Math.floor((info.notAfterMs - nowMs) / DAY_MS), signedByCa: info.signedByCa }
      : { daysLeft: null, signedByCa: false },
})

function reasonToIssue({ certificate: info, nowMs }: State, args: Args): string | undefined {
  if (info === undefined) return 'there is none'
  if (info.kind === 'broken') return `it can not be read: ${info.reason}`
  if (!info.signedByCa) return "it is not signed by the site's authority"
  if (!info.keyMatches) return 'its key is missing or another one'
  if (info.commonName !== args.common_name) return `its subject is ${info.commonName}`
  if (!sameSet(info.subjectAltNames, args.sans)) return 'it has other names'
  if (!sameSet(info.usages, args.usages)) return 'it is for another use'
  const daysLeft = (info.notAfterMs - nowMs) / DAY_MS
  if (daysLeft <= 0) return 'it has expired'
  if (daysLeft < args.renew_before_days) return `it expires in ${Math.floor(daysLeft)} days`
  const issuedMs = info.notBeforeMs + BACKDATED_MS
  if (issuedMs < outdatedBefore(args, nowMs))
    return `it was issued at ${new Date(issuedMs).toISOString()}`
  return undefined
}

/**
 * Whoever asks goes by another clock. Where that one is ahead, what is issued now would be too old for
 * ever: there a fresh one will do.
 */
function outdatedBefore({ issued_after: after }: Args, nowMs: number): number {
  if (after === '') return -Infinity
  const afterMs = Date.parse(after)
  return afterMs <= nowMs ? afterMs : nowMs - FRESH_MS
}

function sameSet(some: readonly string[], others: readonly string[]): boolean {
  return [...some].sort().join('\n') === [...others].sort().join('\n')
}

function issue(args: Args, why: string): Change {
  const { certificate: caCertificatePath, key: caKeyPath } = SITE_SECRET_FILES.ca
  return {
    kind: 'issue',
    why,
    request: {
      commonName: args.common_name,
      subjectAltNames: args.sans,
      usages: args.usages,
      validDays: args.valid_days,
      certificatePath: args.path,
      keyPath: args.key,
      caCertificatePath,
      caKeyPath,
      owner: args.owner,
      group: args.group,
    },
  }
}
