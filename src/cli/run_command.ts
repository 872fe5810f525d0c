import { spawnSync } from 'node:child_process'
import type { ExecResult } from '../core/host.ts'

/** A password manager may ask a person; a minute is enough for that. @unit milliseconds */
const SECRET_COMMAND_MS = 60_000

/** A secret is small. @unit bytes */
const SECRET_OUTPUT_BYTES = 1 << 20

/** Runs the command of a `!secret {exec}` on the laptop, without a shell; it may use the terminal. */
export function runCommand(argv: readonly string[]): ExecResult {
  const [file = '', ...rest] = argv
  const result = spawnSync(file, rest, {
    encoding: 'utf8',
    stdio: ['inherit', 'pipe', 'pipe'],
    timeout: SECRET_COMMAND_MS,
    maxBuffer: SECRET_OUTPUT_BYTES,
  })
  if (result.error !== undefined) return { code: 127, stdout: '', stderr: result.error.message }
  return { code: result.status ?? 1, stdout: result.stdout, stderr: result.stderr }
}
