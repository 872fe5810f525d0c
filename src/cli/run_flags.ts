import { TwonodeError } from '../core/errors.ts'
import { parseDuration } from '../plan/units.ts'
import { flagOption, type Invocation, listOption, textOption } from './command.ts'

/** What the commands that reach hosts have in common on their command line. */
export interface RunFlags {
  readonly inventory: string
  readonly sites: readonly string[]
  readonly limit: readonly string[]
  /** Whether the command has `--limit`. */
  readonly takesLimit: boolean
  readonly tags: readonly string[]
  /** As written: `name=value` or `@file`. */
  readonly extraVars: readonly string[]
  readonly check: boolean
  readonly diff: boolean
  readonly json: boolean
  readonly verbose: boolean
  readonly acceptNewHostKeys: boolean
  readonly askSudoPassword: boolean
  /** @unit milliseconds */
  readonly lockTimeoutMs: number
  readonly allowDowngrade: boolean
}

/** Another converge is usually done, or at a barrier, within this time. @unit milliseconds */
const LOCK_TIMEOUT_MS = 30_000

export function readRunFlags(invocation: Invocation): RunFlags {
  return {
    inventory: textOption(invocation, 'inventory') ?? '',
    sites: listOption(invocation, 'site'),
    limit: listOption(invocation, 'limit'),
    takesLimit: invocation.takesLimit,
    tags: listOption(invocation, 'tags'),
    extraVars: listOption(invocation, 'extraVars'),
    check: flagOption(invocation, 'check'),
    diff: flagOption(invocation, 'diff'),
    json: flagOption(invocation, 'json'),
    verbose: flagOption(invocation, 'verbose'),
    acceptNewHostKeys: flagOption(invocation, 'acceptNewHostKeys'),
    askSudoPassword: flagOption(invocation, 'askSudoPassword'),
    lockTimeoutMs: lockTimeout(invocation),
    allowDowngrade: flagOption(invocation, 'allowDowngrade'),
  }
}

function lockTimeout(invocation: Invocation): number {
  const text = textOption(invocation, 'lockTimeout')
  if (text === undefined) return LOCK_TIMEOUT_MS
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return durationMs
  throw new TwonodeError('E_USAGE', `--lock-timeout ${text} is no duration`, {
    hint: 'Write a number and a unit: 30s, 5m.',
  })
}
