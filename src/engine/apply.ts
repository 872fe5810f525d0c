import type { Change, Exec, Outcome, Write } from '../core/change.ts'
import { TwonodeError } from '../core/errors.ts'
import type { ExecResult, Host } from '../core/host.ts'
import { awaitCondition } from './await_condition.ts'
import type { Clock } from './clock.ts'
import { refuseInvalid, stagedValidation } from './validate_content.ts'
import { sha256 } from './sha256.ts'

/** What limits a change from outside. */
export interface Bounds {
  readonly clock: Clock
  /** The step's own end, on the clock. */
  readonly deadline: number
  /** Ends waits; a change that is under way is finished. */
  readonly stop: AbortSignal
}

/** Bound of statements that name none. @unit milliseconds */
const SQL_TIMEOUT_MS = 30_000

/** How long a statement of ours may stand in the way of others for a lock. @unit milliseconds */
const SQL_LOCK_TIMEOUT_MS = 5_000

/** Bound of the command that tells why another one failed. @unit milliseconds */
const DIAGNOSE_TIMEOUT_MS = 10_000

/** Between two runs of a command that somebody is in the way of. @unit milliseconds */
const AGAIN_AFTER_MS = 1_000

/**
 * The only function in the repository that changes a host. Each call is one change, whole or not at
 * all as far as the host can make it so; all of them may be cut by a power failure and done again.
 */
export async function apply(host: Host, change: Change, bounds: Bounds): Promise<Outcome> {
  switch (change.kind) {
    case 'write':
      await write(host, change)
      return undefined
    case 'attributes': {
      const { path, mode, owner, group } = change
      await host.setAttributes(path, {
        ...(mode === undefined ? {} : { mode }),
        ...(owner === undefined ? {} : { owner }),
        ...(group === undefined ? {} : { group }),
      })
      return undefined
    }
    case 'directory': {
      const { path, mode, owner, group } = change
      await host.makeDirectory(path, { mode, owner, group })
      return undefined
    }
    case 'link':
      await host.makeLink(change.path, change.target)
      return undefined
    case 'remove':
      await host.remove(change.path, change.recursive)
      return undefined
    case 'exec':
      return await run(host, change, bounds)
    case 'sql':
    case 'sqlTransaction':
      await runSql(host, change, bounds)
      return undefined
    case 'install': {
      const { kind: _, ...request } = change
      await host.install({ ...request, timeoutMs: within(bounds, request.timeoutMs) })
      return undefined
    }
    case 'issue':
      await host.issue(change.request)
      return undefined
    case 'obtain':
      await inTime(host.obtain(change.secret), bounds)
      return undefined
    case 'salvage':
      // Its statements are bounded; a run that is ended takes its session from it.
      await host.salvage(change.request)
      return undefined
    case 'await':
      return await awaitCondition(host, change, bounds)
    default:
      throw new Error(`unhandled change: ${(change satisfies never as Change).kind}`)
  }
}

async function run(host: Host, change: Exec, bounds: Bounds): Promise<ExecResult> {
  const { argv, acceptCodes = [0], diagnose } = change
  const result = await untilFree(host, change, bounds)
  if (acceptCodes === 'any' || acceptCodes.includes(result.code)) return result
  const words = diagnose === undefined ? '' : await wordsOf(host, diagnose)
  throw commandFailed(host.name, argv, { ...result, stderr: joined(result.stderr, words) })
}

/** Runs it, and again while somebody is in its way. Nothing was changed then: an interrupt ends it. */
async function untilFree(host: Host, change: Exec, bounds: Bounds): Promise<ExecResult> {
  const { argv, stdin, env, user, background, again } = change
  const { clock, stop } = bounds
  const end = Math.min(bounds.deadline, clock.now() + (again?.forMs ?? 0))
  for (;;) {
    const result = await host.exec(argv, {
      timeoutMs: within(bounds, change.timeoutMs),
      ...(stdin === undefined ? {} : { stdin }),
      ...(env === undefined ? {} : { env }),
      ...(user === undefined ? {} : { user }),
      ...(background === undefined ? {} : { background }),
    })
    const inTheWay = result.code !== 0 && again?.words.some((word) => result.stderr.includes(word))
    if (inTheWay !== true || clock.now() >= end) return result
    await clock.sleep(AGAIN_AFTER_MS, stop)
    stop.throwIfAborted()
  }
}

/** The message is one line for a log; the whole stderr is the detail. */
function commandFailed(
  host: string,
  argv: readonly string[],
  { code, stdout, stderr }: ExecResult,
): TwonodeError {
  const detail = stderr.trim() === '' ? stdout.trim() : stderr.trim()
  const first = detail.split('\n')[0] ?? ''
  return new TwonodeError(
    'E_COMMAND_FAILED',
    `${host}: ${argv.join(' ')} exited ${code}${first === '' ? '' : `: ${first}`}`,
    detail === '' ? {} : { detail },
  )
}

async function wordsOf(host: Host, argv: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await host.exec(argv, { timeoutMs: DIAGNOSE_TIMEOUT_MS })
    return joined(stdout, stderr)
  } catch {
    // What is reported is the command's failure; that nothing explains it must not hide it.
    return ''
  }
}

function joined(...texts: readonly string[]): string {
  return texts
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .join('\n')
}

async function runSql(
  host: Host,
  change: Extract<Change, { kind: 'sql' | 'sqlTransaction' }>,
  bounds: Bounds,
): Promise<void> {
  if (change.kind === 'sqlTransaction') {
    const { database, statements, lockTimeoutMs } = change
    const statementTimeoutMs = within(bounds, change.statementTimeoutMs)
    return await host.transaction(database, statements, { statementTimeoutMs, lockTimeoutMs })
  }
  const { database, text, values, timeoutMs = SQL_TIMEOUT_MS, tolerate } = change
  try {
    const statementTimeoutMs = within(bounds, timeoutMs)
    const lockTimeoutMs = Math.min(SQL_LOCK_TIMEOUT_MS, statementTimeoutMs)
    await host.sql(database, text, values ?? [], { statementTimeoutMs, lockTimeoutMs })
  } catch (error) {
    const isRefusal = error instanceof TwonodeError && error.code === 'E_SQL'
    if (tolerate === undefined || !isRefusal) throw error
  }
}

/** Validates, then replaces; a file that was changed since it was read is left alone. */
async function write(host: Host, change: Write): Promise<void> {
  const { path, content, mode, owner, group, before, validate } = change
  // Of what was read: where bytes were no UTF-8, the host compares with what a reader of it sees.
  const expected = before === undefined ? null : sha256(before)
  const options = { mode, owner, group, expected }
  refuseInvalid(host, change)
  const argv = stagedValidation(change)
  if (argv === undefined) {
    await host.writeFile(path, content, options)
  } else {
    const staged = await host.stage(path, content, options)
    try {
      await runValidator(host, change, argv(staged.path))
      await staged.commit()
    } catch (error) {
      await staged.discard()
      throw error
    }
  }
  if (validate?.kind === 'sql') await judgeBySql(host, change, options.expected)
}

async function runValidator(host: Host, { path }: Write, argv: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await host.exec(argv)
  if (code === 0) return
  throw new TwonodeError('E_INVALID_CONTENT', `${host.name}: ${argv[0]} refuses ${path}`, {
    detail: joined(stderr, stdout),
  })
}

/** PostgreSQL can only judge a file that is in place: a bad one gives way to what was there. */
async function judgeBySql(host: Host, change: Write, old: string | null): Promise<void> {
  const { path, content, before, mode, owner, group, validate } = change
  if (validate?.kind !== 'sql') return
  const complaints = await complaintsOf(host, validate)
  if (complaints.length === 0) return
  if (before === undefined || old === null) await host.remove(path, false)
  else await host.writeFile(path, before, { mode, owner, group, expected: sha256(content) })
  throw new TwonodeError('E_INVALID_CONTENT', `${host.name}: PostgreSQL refuses ${path}`, {
    detail: complaints.map((row) => JSON.stringify(row)).join('\n'),
  })
}

async function complaintsOf(
  host: Host,
  { database, text }: { readonly database: string; readonly text: string },
): Promise<readonly unknown[]> {
  try {
    return await host.sql<unknown>(database, text)
  } catch (error) {
    // No server to ask yet: it will judge the file when it starts.
    if (error instanceof Error && error.name === 'NotYet') return []
    throw error
  }
}

/** For what waits for the other host: its maker may have much to do before. */
async function inTime(doing: Promise<void>, { clock, deadline, stop }: Bounds): Promise<void> {
  const over = new AbortController()
  const late = clock
    .sleep(deadline - clock.now(), AbortSignal.any([over.signal, stop]))
    .then(() => {
      stop.throwIfAborted()
      throw new TwonodeError('E_FAILED', 'the other host did not answer in time')
    })
  try {
    await Promise.race([doing, late])
  } finally {
    over.abort()
  }
}

/** A bound, cut to what is left of the step's time. */
function within({ clock, deadline }: Bounds, ms: number): number {
  // Whole: the clock has fractions, and timers of the host take none.
  return Math.max(1, Math.floor(Math.min(ms, deadline - clock.now())))
}
