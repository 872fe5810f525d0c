import { TwonodeError } from '../core/errors.ts'
import { type CommandRun, flagOption, type Invocation, textOption } from './command.ts'
import { parseDuration } from '../plan/units.ts'
import { readRunFlags } from './run_flags.ts'
import { createTeller, theSite } from './switchover.ts'
import { refuseMajor } from './upgrade_major.ts'
import { refuseVersion, type UpgradeWanted } from './upgrade_plan.ts'
import { runUpgrade } from './upgrade_run.ts'
import { COMMAND_MS, type DrainOptions } from './upgrade_tasks.ts'

/** A pod's own grace is 30 s; a budget may hold one back for longer. */
const DRAIN_TIMEOUT = '5m'

/** `twonode upgrade`: the follower first, then the lead is handed over, then the other one. */
export const upgrade: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const { site } = theSite(flags, world)
  const wanted = wantedOf(invocation, flags.allowDowngrade)
  const { kine, k3s, name } = site.site
  if (wanted.kine !== undefined)
    refuseVersion('kine', { wanted: wanted.kine, inventory: kine.version })
  if (wanted.k3s !== undefined) refuseVersion('k3s', { wanted: wanted.k3s, inventory: k3s.version })
  refuseMajor(site.site, wanted)
  const drain = {
    timeout: drainTimeoutOf(invocation),
    force: flagOption(invocation, 'drainForce'),
  }
  const over = new AbortController()
  const dispose = world.onInterrupt(() => over.abort())
  const teller = await createTeller(flags, world)
  const parts = {
    flags: { ...flags, sites: [name] },
    world,
    teller,
    site: site.site,
    drain,
    command: commandOf(wanted, {
      inventory: flags.inventory,
      site: flags.sites.length > 0 ? name : undefined,
      drain,
    }),
    over: over.signal,
  }
  try {
    return await runUpgrade(wanted, parts)
  } finally {
    dispose()
    teller.end()
  }
}

function wantedOf(invocation: Invocation, allowDowngrade: boolean): UpgradeWanted {
  const wanted = {
    kine: textOption(invocation, 'kine'),
    k3s: textOption(invocation, 'k3s'),
    postgresMajor: majorOf(textOption(invocation, 'postgresMajor')),
    postgresMinor: flagOption(invocation, 'postgresMinor'),
    packages: flagOption(invocation, 'packages'),
    reboot: flagOption(invocation, 'reboot'),
    keepRoles: flagOption(invocation, 'keepRoles'),
    allowDowngrade,
  }
  const { kine, k3s, postgresMajor, postgresMinor, packages, reboot } = wanted
  const versions = [kine, k3s, postgresMajor]
  if (versions.some((version) => version !== undefined)) return wanted
  if (postgresMinor || packages || reboot) return wanted
  throw new TwonodeError('E_USAGE', 'an upgrade of what?', {
    hint: 'Pass one or more of --k3s V, --kine V, --postgres-major V, --postgres-minor, --packages, --reboot.',
  })
}

function majorOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{2}$/.test(text)) return Number(text)
  throw new TwonodeError('E_USAGE', `--postgres-major ${text}: a major version, as 17`)
}

/** Bounded by the command that drains: the pause that it runs in is longer. */
function drainTimeoutOf(invocation: Invocation): string {
  const text = textOption(invocation, 'drainTimeout') ?? DRAIN_TIMEOUT
  const ms = parseDuration(text)
  if (ms !== undefined && ms >= 1_000 && ms < COMMAND_MS) return text
  throw new TwonodeError('E_USAGE', `--drain-timeout ${text}: a duration from 1s to 29m`, {
    hint: 'Pods that a budget holds back for longer are better moved first, by `kubectl drain`.',
  })
}

interface Selected {
  readonly inventory: string
  readonly site: string | undefined
  readonly drain: DrainOptions
}

/** What is to be run again, wherever this was cut. */
function commandOf(wanted: UpgradeWanted, { inventory, site, drain }: Selected): string {
  const flags = [
    ...(site === undefined ? [] : ['--site', site]),
    ...(wanted.k3s === undefined ? [] : ['--k3s', wanted.k3s]),
    ...(wanted.kine === undefined ? [] : ['--kine', wanted.kine]),
    ...(wanted.postgresMajor === undefined ? [] : ['--postgres-major', wanted.postgresMajor]),
    ...(wanted.postgresMinor ? ['--postgres-minor'] : []),
    ...(wanted.packages ? ['--packages'] : []),
    ...(wanted.reboot ? ['--reboot'] : []),
    ...(wanted.keepRoles ? ['--keep-roles'] : []),
    ...(drain.timeout === DRAIN_TIMEOUT ? [] : ['--drain-timeout', drain.timeout]),
    ...(drain.force ? ['--drain-force'] : []),
    ...(wanted.allowDowngrade ? ['--allow-downgrade'] : []),
  ]
  return ['twonode upgrade -i', inventory, ...flags].join(' ')
}
