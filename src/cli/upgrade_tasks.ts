import { durationText } from '../plan/units.ts'
import { DRAINED_MARK } from './upgrade_look.ts'
import type { NodeState } from './upgrade_plan.ts'

/** Of one command of a host; a drain has a bound of its own below it. @unit milliseconds */
export const COMMAND_MS = 30 * 60_000

/** Somebody else's apt has dpkg's lock for as long as its own packages take. @unit milliseconds */
const LOCK_MS = 10 * 60_000

/** Between two tries to get a lock that nothing waits for. @unit milliseconds */
const TRY_EVERY_MS = 15_000

/** Another's fetch of the lists is over by then, and a mirror that fails does not come back. */
const LIST_TRIES = 4

/** Nobody sits there: questions have their default, and what a host runs is restarted by its boot alone. */
const ENVIRONMENT = {
  DEBIAN_FRONTEND: 'noninteractive',
  APT_LISTCHANGES_FRONTEND: 'none',
  // https://github.com/liske/needrestart: it lists, and restarts no PostgreSQL, kine or agent in between.
  NEEDRESTART_MODE: 'l',
}

/** A package's own questions are answered as it was before. */
const CONFFILES = ['--force-confdef', '--force-confold']

const APT = [
  'apt-get',
  '--yes',
  '--quiet',
  '-o',
  `DPkg::Lock::Timeout=${LOCK_MS / 1000}`,
  ...CONFFILES.flatMap((option) => ['-o', `Dpkg::Options::=${option}`]),
]

const KUBECTL = ['/usr/local/bin/k3s', 'kubectl']

/** What a task has beside its command. */
interface More {
  /** CEL over its result. */
  readonly failedWhen?: string
  readonly tries?: number
}

/** A command of a host, as a task. All its tries are within the bound of the one command. */
export function task(name: string, argv: readonly string[], more: More = {}): object {
  const { failedWhen, tries } = more
  const timeout = durationText(COMMAND_MS)
  const failed = failedWhen === undefined ? {} : { failed_when: failedWhen }
  const again = tries === undefined ? {} : { retries: tries - 1, delay: durationText(TRY_EVERY_MS) }
  // A task's own bound is shorter, if it is not said.
  return { name, command: { argv, env: ENVIRONMENT, timeout, ...failed }, timeout, ...again }
}

/** apt waits for no other one's lock on the lists. */
export function listTasks(): readonly object[] {
  const argv = ['apt-get', '--quiet', 'update']
  return [task('The package lists are new', argv, { tries: LIST_TRIES })]
}

/** Only those packages, of which one may have been taken away. */
export function upgradeTasks(packages: readonly string[]): readonly object[] {
  const argv = [...APT, '--only-upgrade', 'install', ...packages]
  return [...repairs(), task("PostgreSQL's packages are new", argv)]
}

export function upgradeAllTasks(): readonly object[] {
  return [...repairs(), task('All packages are new', [...APT, '--with-new-pkgs', 'upgrade'])]
}

/** What an apt that was cut has left half done is finished first: no other apt begins before. */
export function repairs(): readonly object[] {
  const argv = ['dpkg', ...CONFFILES, '--configure', '-a']
  // 1: what it configures lacks what apt brings next. 2: another has the lock, which dpkg does not wait for.
  const more = { failedWhen: 'result.code > 1', tries: LOCK_MS / TRY_EVERY_MS }
  return [
    task('What was cut before is configured', argv, more),
    task('What was cut before is whole', [...APT, '--fix-broken', 'install']),
  ]
}

/** A moment later: whoever orders it has gone by then. */
export function bootTasks(): readonly object[] {
  const when = ['--on-active=2s', '--timer-property=AccuracySec=100ms']
  return [task('The host boots', ['systemd-run', ...when, 'systemctl', 'reboot'])]
}

/** As kubectl has them. */
export interface DrainOptions {
  readonly timeout: string
  /** Pods without a controller go too. */
  readonly force: boolean
}

/** Marked before, unless somebody else has cordoned it or a run before this one has marked it. */
export function drainTasks(name: string, node: NodeState, how: DrainOptions): readonly object[] {
  const mark = [...KUBECTL, 'annotate', '--overwrite', 'node', name, `${DRAINED_MARK}=upgrade`]
  const options = ['--ignore-daemonsets', '--delete-emptydir-data', `--timeout=${how.timeout}`]
  const force = how.force ? ['--force'] : []
  return [
    ...(node === 'there' ? [task('The node is to be taken back', mark)] : []),
    task('The node is drained', [...KUBECTL, 'drain', name, ...options, ...force]),
  ]
}

export function takeBackTasks(name: string): readonly object[] {
  return [
    task('The node is back', [...KUBECTL, 'uncordon', name]),
    task('Nobody is to take it back', [...KUBECTL, 'annotate', 'node', name, `${DRAINED_MARK}-`]),
  ]
}
