import type { Await, Condition } from '../core/change.ts'
import { TwonodeError } from '../core/errors.ts'
import type { ExecResult, Observer } from '../core/host.ts'
import type { Clock } from './clock.ts'

/** How long one look may take. @unit milliseconds */
const LOOK_TIMEOUT_MS = 10_000

interface Limits {
  readonly clock: Clock
  readonly deadline: number
  readonly stop: AbortSignal
}

/**
 * Polls until the condition holds. It changes nothing, so that an interrupt ends it at once. What it
 * gives back is what was missing when the bound was passed, for a wait that may be given up.
 */
export async function awaitCondition(
  host: Observer,
  { until, what, otherwise, timeoutMs, intervalMs }: Await,
  { clock, deadline, stop }: Limits,
): Promise<ExecResult | undefined> {
  const begin = clock.now()
  const end = Math.min(begin + timeoutMs, deadline)
  let last: string | undefined
  for (;;) {
    const seen = await look(host, until)
    if (seen === true) return undefined
    last = seen === false ? last : seen
    stop.throwIfAborted()
    // The last look is at the end of the time, not an interval before it.
    if (clock.now() >= end) break
    await clock.sleep(Math.max(1, Math.min(intervalMs, end - clock.now())), stop)
    stop.throwIfAborted()
  }
  const seconds = Math.round((clock.now() - begin) / 1000)
  if (otherwise !== undefined) {
    const why = last === undefined ? '' : ` (${last})`
    return { code: 1, stdout: '', stderr: `waited ${seconds} s for ${what}${why}: ${otherwise}` }
  }
  throw new TwonodeError(
    'E_FAILED',
    `${host.name}: waited ${seconds} s for ${what}`,
    last === undefined ? {} : { detail: last },
  )
}

/** True, false, or why it could not be told. */
async function look(host: Observer, condition: Condition): Promise<boolean | string> {
  try {
    return await holds(host, condition)
  } catch (error) {
    // What is waited for may pass through states in which it can't be asked: a server that starts.
    if (error instanceof Error) return error.message
    throw error
  }
}

async function holds(host: Observer, condition: Condition): Promise<boolean | string> {
  switch (condition.kind) {
    case 'sql': {
      const { database, text, values } = condition
      const [row] = await host.sql<Record<string, unknown>>(database, text, values)
      return row !== undefined && Object.values(row)[0] === true
    }
    case 'exec': {
      const { argv, user } = condition
      const options = { timeoutMs: LOOK_TIMEOUT_MS, ...(user === undefined ? {} : { user }) }
      const { code, stderr } = await host.exec(argv, options)
      if (code === 0) return true
      // Its last word is the best reason there is.
      return stderr.trim().split('\n').at(-1) || false
    }
    case 'tcp':
      return await host.reachable(condition.address, condition.port, LOOK_TIMEOUT_MS)
    case 'file':
      return ((await host.stat(condition.path)) !== undefined) === condition.present
    default:
      throw new Error(`unhandled condition: ${(condition satisfies never as Condition).kind}`)
  }
}
