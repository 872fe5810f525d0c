import type { Change, Exec } from '../src/core/change.ts'
import type { FileStat, Observer, UnitState } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { attributeChanges, requireParent } from './parts/ownership.ts'
import { PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly state: 'used' | 'left'
  readonly address: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
  readonly listen: string
  readonly max_connections: number
  readonly path: string
  readonly unit: string
  readonly change: 'restart' | 'reload'
}

interface State {
  readonly active: UnitState['active']
  readonly stat: FileStat | undefined
  readonly text: string | undefined
  readonly process: Process
}

/** The kine that runs now. */
type Process =
  | { readonly kind: 'none' }
  /** Forked and not yet kine, or started by other means than the file: nothing can be said of it. */
  | { readonly kind: 'unknown' }
  | Running

interface Running {
  readonly kind: 'running'
  readonly environment: ReadonlyMap<string, string>
}

const OWNERSHIP = { mode: 0o644, owner: 'root', group: 'root' } as const
const TIMEOUT_MS = 60_000

export const kineEndpoint = defineModule<Args, State>({
  name: 'kine_endpoint',
  doc: {
    summary: 'The database that kine uses, and where it listens.',
    notes: [
      'It owns an environment file that the unit names (`EnvironmentFile=/etc/twonode/kine.env`); kine reads all its flags from it.',
      'A kine that runs with another endpoint than the file says would write to the wrong database: it is killed (it keeps no state, and waits for a dead database when asked politely) and started anew.',
      'The connection to the database is verified (`sslmode=verify-full`) and uses a client certificate. kine has no authentication of its own towards k3s: it listens on loopback.',
    ].join('\n\n'),
    source: 'https://github.com/k3s-io/kine/blob/v0.16.4/pkg/app/app.go',
    examples: [
      {
        title: "The leader's own database",
        args: { address: '127.0.0.1', port: 5432, database: 'kine' },
      },
      {
        title: "The leader's, from the follower",
        args: { address: '10.77.0.11', port: 5432, database: 'kine' },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['address', 'port', 'database'],
    properties: {
      state: {
        type: 'string',
        enum: ['used', 'left'],
        default: 'used',
        description:
          '`left`: a kine that uses another database is stopped, and nothing is written.',
      },
      address: {
        type: 'string',
        pattern: '^[0-9A-Za-z.:-]+$',
        'x-form': 'an address or a host name',
        description: 'Where PostgreSQL listens. Its certificate must name it.',
      },
      port: { type: 'integer', minimum: 1, maximum: 65_535, description: "PostgreSQL's port." },
      database: {
        type: 'string',
        pattern: '^[a-z_][a-z0-9_]{0,62}$',
        'x-form': 'a name of lower case letters, digits and _: kine folds others',
        description: 'Database.',
      },
      user: {
        type: 'string',
        pattern: '^[a-z_][a-z0-9_]{0,62}$',
        'x-form': 'a role name of lower case letters, digits and _',
        default: 'kine',
        description: 'Role; the common name of the certificate.',
      },
      ca: {
        ...PATH_FORM,
        default: '/etc/twonode/pki/ca.crt',
        description: "The authority of PostgreSQL's certificate.",
      },
      certificate: {
        ...PATH_FORM,
        default: '/etc/twonode/tls/kine.crt',
        description: 'Client certificate.',
      },
      key: { ...PATH_FORM, default: '/etc/twonode/tls/kine.key', description: 'Its key.' },
      listen: {
        type: 'string',
        pattern: '^(127\\.[0-9.]+|localhost|\\[::1\\]):[0-9]+$',
        'x-form': 'a loopback address with a port: kine has no authentication',
        default: '127.0.0.1:2379',
        description: 'Where k3s reaches kine.',
      },
      max_connections: {
        type: 'integer',
        minimum: 2,
        default: 40,
        description:
          "Most connections to the database. Both hosts' kines use the leader's, which takes 100 by default.",
      },
      path: {
        ...PATH_FORM,
        default: '/etc/twonode/kine.env',
        description: 'The environment file.',
      },
      unit: {
        type: 'string',
        pattern: '\\.service$',
        'x-form': 'the name of a service unit',
        default: 'kine.service',
        description: 'The unit that runs kine.',
      },
      change: {
        type: 'string',
        enum: ['restart', 'reload'],
        default: 'restart',
        description:
          "How a kine that uses another database comes to this one: killed and started anew, or by the unit's reload, which is asked for and not waited for.",
      },
    },
  },

  key: ({ path, state }) => (state === 'left' ? [] : [`file:${path}`]),

  async observe(host, { path, unit }) {
    const [stat, text, found] = await Promise.all([
      host.stat(path),
      host.readFile(path),
      observeProcess(host, unit),
      requireParent(host, path),
    ])
    return { stat, text, ...found }
  },

  refuse: ({ stat }, { path }) =>
    stat === undefined || stat.kind === 'file'
      ? undefined
      : `${path} is no file but a ${stat.kind}`,

  diff({ stat, text, process, active }, args): readonly Change[] {
    if (args.state === 'left') return leaves(process, active, args) ? [] : [stop(args.unit)]
    const found = stat === undefined ? {} : { beforeMode: stat.mode }
    const { path, unit } = args
    const wanted = environment(args)
    const content = fileText(wanted)
    const isWritten = text === content
    const file: readonly Change[] =
      stat !== undefined && isWritten
        ? attributeChanges(path, stat, OWNERSHIP)
        : [{ kind: 'write', path, content, ...OWNERSHIP, before: text, ...found }]
    if (process.kind === 'running') {
      if (uses(process, wanted)) return file
      return [...file, ...(args.change === 'reload' ? [reload(unit)] : restart(unit))]
    }
    // What systemd starts at this moment may have read the file as it was.
    const isStarting = process.kind === 'unknown' || active === 'activating'
    return isStarting && !isWritten ? [...file, ...restart(unit)] : file
  },

  settles: ({ change }) => change !== 'reload',

  result: ({ process }) => ({
    running: process.kind === 'running',
    endpoint:
      process.kind === 'running' ? (process.environment.get('KINE_ENDPOINT') ?? null) : null,
  }),
})

function environment(args: Args): ReadonlyMap<string, string> {
  const address = args.address.includes(':') ? `[${args.address}]` : args.address
  const { user, port, database } = args
  return new Map([
    ['KINE_ENDPOINT', `postgres://${user}@${address}:${port}/${database}?sslmode=verify-full`],
    ['KINE_CA_FILE', args.ca],
    ['KINE_CERT_FILE', args.certificate],
    ['KINE_KEY_FILE', args.key],
    ['KINE_LISTEN_ADDRESS', args.listen],
    ['KINE_METRICS_BIND_ADDRESS', '0'],
    ['KINE_DATASTORE_MAX_OPEN_CONNECTIONS', String(args.max_connections)],
  ])
}

/** The schema's patterns keep quotes, backslashes and line ends out. */
function fileText(wanted: ReadonlyMap<string, string>): string {
  const lines = [...wanted].map(([name, value]) => `${name}="${value}"`)
  return ['# Written by twonode: the database that kine uses.', ...lines, ''].join('\n')
}

async function observeProcess(
  host: Observer,
  unit: string,
): Promise<Pick<State, 'process' | 'active'>> {
  const only = await onlyKine(host, unit)
  if (only !== undefined) return { active: 'active', process: only }
  const { mainPid, active } = await host.batch.unit(unit)
  return { active, process: await processOf(host, mainPid) }
}

/** Where systemd has its units' processes: cgroup v2, or its own hierarchy beside v1. */
const HIERARCHIES = ['/sys/fs/cgroup', '/sys/fs/cgroup/systemd']

/**
 * A unit with one process, which is kine by now: systemctl would say no more of it, and costs a promotion
 * some 12 ms each time. Anything else is systemd's to tell.
 */
async function onlyKine(host: Observer, unit: string): Promise<Running | undefined> {
  const paths = HIERARCHIES.map((hierarchy) => `${hierarchy}/system.slice/${unit}/cgroup.procs`)
  const lists = await Promise.all(paths.map(async (path) => await host.readFile(path)))
  const ids = lists.find((list) => list !== undefined)?.trim() ?? ''
  if (!/^[1-9]\d*$/.test(ids)) return undefined
  const process = await processOf(host, Number(ids))
  const name = await host.readFile(`/proc/${ids}/comm`)
  return process.kind === 'running' && name === 'kine\n' ? process : undefined
}

async function processOf(host: Observer, mainPid: number): Promise<Process> {
  if (mainPid === 0) return { kind: 'none' }
  const text = await host.readFile(`/proc/${mainPid}/environ`)
  if (text === undefined) return { kind: 'none' }
  const entries = text.split('\0').map((entry): [string, string] => {
    const cut = entry.indexOf('=')
    return [entry.slice(0, cut), entry.slice(cut + 1)]
  })
  const found = new Map(entries)
  return found.has('KINE_ENDPOINT') ? { kind: 'running', environment: found } : { kind: 'unknown' }
}

function uses(process: Running, wanted: ReadonlyMap<string, string>): boolean {
  return [...wanted].every(([name, value]) => process.environment.get(name) === value)
}

/** What is not known to use the right database is stopped: it may be about to use the wrong one. */
function leaves(process: Process, active: UnitState['active'], args: Args): boolean {
  if (active === 'inactive' || active === 'failed') return true
  return process.kind === 'running' && uses(process, environment(args))
}

/** Its unit kills it: see `restart`. */
function stop(unit: string): Exec {
  return { kind: 'exec', argv: ['systemctl', 'stop', unit], timeoutMs: TIMEOUT_MS }
}

function reload(unit: string): Exec {
  const argv = ['systemctl', 'reload', '--no-block', unit]
  return { kind: 'exec', argv, timeoutMs: TIMEOUT_MS }
}

/** Killed first: asked politely it took 2 s with its database gone (feasibility, finding 2). */
function restart(unit: string): readonly Exec[] {
  const diagnose = ['journalctl', '--no-pager', '--output=cat', '--lines=20', '--unit', unit]
  return [
    {
      kind: 'exec',
      argv: ['systemctl', 'kill', '--signal=SIGKILL', unit],
      // It may have ended by itself meanwhile.
      acceptCodes: [0, 1],
      timeoutMs: TIMEOUT_MS,
    },
    { kind: 'exec', argv: ['systemctl', 'restart', unit], diagnose, timeoutMs: TIMEOUT_MS },
  ]
}
