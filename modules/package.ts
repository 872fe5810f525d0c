import type { Change, Exec } from '../src/core/change.ts'
import type { Observer } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { durationMs, durationSchema } from './parts/duration.ts'
import { PATH_FORM } from './parts/paths.ts'

interface Args {
  readonly name: string | readonly string[]
  readonly version?: string
  readonly state: 'present' | 'absent'
  readonly update_cache: boolean
  readonly purge: boolean
  readonly start: boolean
  readonly repository?: string
  readonly lock_timeout: string
}

interface State {
  /** Installed version by name; null: not installed, or not to the end. */
  readonly versions: Readonly<Record<string, string | null>>
  /** What an earlier, interrupted dpkg left behind. */
  readonly interrupted: boolean
  /** Content of the file that keeps services from starting, if there is one. */
  readonly policy: string | undefined
}

/** Asked by every maintainer script before it starts a service. */
const POLICY_FILE = '/usr/sbin/policy-rc.d'
const NO_STARTS =
  '#!/bin/sh\n# twonode: services do not start while packages are installed\nexit 101\n'

/**
 * apt that has waited for dpkg's lock in vain does not say whose it is. Whoever has the file open now
 * has it, or waits for it too.
 */
const LOCK_HOLDERS = [
  'find',
  '/proc',
  '-ignore_readdir_race',
  '-maxdepth',
  '3',
  '-path',
  '/proc/[0-9]*/fd/*',
  '-lname',
  '/var/lib/dpkg/lock*',
  '-printf',
  '%l is held open: %p\\n',
]

/** Locks that apt-get itself does not wait for, whatever it is told: a first boot's apt-daily has them. */
const OTHER_LOCKS = ['/var/lib/apt/lists/lock', '/var/cache/apt/archives/lock']

/** A large package over a slow line. The step's own timeout ends it earlier. @unit milliseconds */
const INSTALL_TIMEOUT_MS = 15 * 60_000

const PACKAGE_NAME = {
  pattern: '^[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?$',
  'x-form': 'the name of a Debian package',
}

export const packageModule = defineModule<Args, State>({
  name: 'package',
  doc: {
    summary: 'Debian packages, installed or not.',
    notes: [
      'What an interrupted dpkg left half configured is finished first. Changed configuration files are kept, recommended packages left out.',
      "Another apt's lock on dpkg, on the package lists or on the archives is waited for; the error then names its holder.",
      'The package lists are fetched only when something is to be installed.',
    ].join('\n\n'),
    source: 'https://manpages.debian.org/bookworm/apt/apt-get.8.en.html',
    examples: [
      { title: 'One package', args: { name: 'iputils-arping' } },
      { title: 'Several, in one go', args: { name: ['postgresql-15', 'iproute2'] } },
      {
        title: 'Removed with its configuration',
        args: { name: 'nano', state: 'absent', purge: true },
      },
      { title: 'A service that does not start yet', args: { name: 'haproxy', start: false } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: {
        type: ['string', 'array'],
        ...PACKAGE_NAME,
        items: { type: 'string', ...PACKAGE_NAME },
        minItems: 1,
        description: 'A package, or a list of them.',
      },
      version: {
        type: 'string',
        pattern: '^[0-9A-Za-z.+:~-]+$',
        'x-form': 'a version as dpkg writes it',
        description: 'Exactly this version, for one package.',
      },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether they are installed.',
      },
      update_cache: {
        type: 'boolean',
        default: true,
        description: 'Fetch the package lists before something is installed.',
      },
      purge: {
        type: 'boolean',
        default: false,
        description: 'When packages are removed: their configuration too.',
      },
      start: {
        type: 'boolean',
        default: true,
        description: 'Let the services of new packages start by themselves.',
      },
      repository: {
        ...PATH_FORM,
        description:
          'Folder on the host with packages, their index and an `apt.conf` that names them: nothing else is asked. A bundle has one.',
      },
      lock_timeout: durationSchema("How long another apt's lock is waited for.", '1m'),
    },
  },

  key: ({ name }) => namesOf(name).map((one) => `package:${one}`),

  async observe(host, { name, start }) {
    const names = namesOf(name)
    const [versions, updates, policy] = await Promise.all([
      Promise.all(names.map((one) => host.batch.packageVersion(one))),
      host.list('/var/lib/dpkg/updates'),
      start ? undefined : host.readFile(POLICY_FILE),
    ])
    const cut = (updates ?? []).length > 0
    const incomplete = versions.includes(undefined) && !cut && (await halfInstalled(host))
    return {
      versions: Object.fromEntries(names.map((one, index) => [one, versions[index] ?? null])),
      interrupted: cut || incomplete,
      policy,
    }
  },

  refuse({ policy }, { name, version, start }) {
    if (version !== undefined && namesOf(name).length > 1) return "'version' goes with one package"
    if (!start && policy !== undefined && policy !== NO_STARTS)
      return `${POLICY_FILE} is someone else's; with 'start: false' it would be replaced`
    return undefined
  },

  diff(state, args): readonly Change[] {
    const work = args.state === 'present' ? additions(state, args) : removals(state, args)
    // A cut converge may have left it behind: it goes, whether or not packages are missing.
    const mine = state.policy === NO_STARTS
    if (work.length === 0) return mine ? [POLICY_GONE] : []
    const repaired = state.interrupted ? [...repairs(args), ...work] : work
    if (args.start || args.state === 'absent') return repaired
    return [...(mine ? [] : [POLICY_WRITTEN]), ...repaired, POLICY_GONE]
  },

  result: ({ versions }) => ({ versions }),
})

const POLICY_WRITTEN: Change = {
  kind: 'write',
  path: POLICY_FILE,
  content: NO_STARTS,
  mode: 0o755,
  owner: 'root',
  group: 'root',
  before: undefined,
}
const POLICY_GONE: Change = { kind: 'remove', path: POLICY_FILE, recursive: false }

/** dpkg says 1 while dependencies of what it configures are missing: apt brings those next. */
function repairs(args: Args): readonly Change[] {
  return [
    { ...run('dpkg', '--configure', '-a', '--force-confold'), acceptCodes: [0, 1] },
    aptGet(args, 'install', '--fix-broken'),
  ]
}

function additions({ versions }: State, args: Args): readonly Change[] {
  const missing = namesOf(args.name).filter(
    (one) => versions[one] === null || (args.version ?? versions[one]) !== versions[one],
  )
  if (missing.length === 0) return []
  const wanted = missing.map((one) => (args.version === undefined ? one : `${one}=${args.version}`))
  const options = args.version === undefined ? [] : ['--allow-downgrades']
  return [
    ...(args.update_cache ? [aptGet(args, 'update')] : []),
    aptGet(args, 'install', '--no-install-recommends', ...options, ...wanted),
  ]
}

function removals({ versions }: State, args: Args): readonly Change[] {
  const present = namesOf(args.name).filter((one) => versions[one] !== null)
  if (present.length === 0) return []
  return [aptGet(args, args.purge ? 'purge' : 'remove', ...present)]
}

function aptGet({ lock_timeout, repository }: Args, ...words: readonly string[]): Exec {
  const lockMs = durationMs(lock_timeout)
  const command = run(
    'apt-get',
    '--yes',
    '--quiet=2',
    '--option',
    `DPkg::Lock::Timeout=${Math.ceil(lockMs / 1000)}`,
    '--option',
    'Dpkg::Options::=--force-confold',
    '--option',
    'Dpkg::Use-Pty=0',
    ...words,
  )
  const held = OTHER_LOCKS.map((file) => `Could not get lock ${file}`)
  const env = repository === undefined ? {} : { APT_CONFIG: `${repository}/apt.conf` }
  return { ...command, env: { ...command.env, ...env }, again: { words: held, forMs: lockMs } }
}

function run(...argv: readonly string[]): Exec {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  return { kind: 'exec', argv, env, diagnose: LOCK_HOLDERS, timeoutMs: INSTALL_TIMEOUT_MS }
}

async function halfInstalled(host: Observer): Promise<boolean> {
  const { stdout } = await host.exec(['dpkg', '--audit'])
  return stdout.trim() !== ''
}

function namesOf(name: string | readonly string[]): readonly string[] {
  return typeof name === 'string' ? [name] : name
}
