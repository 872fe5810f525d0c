import { basename } from 'node:path'
import { parseDocument } from 'yaml'
import type { Write } from '../core/change.ts'
import { TwonodeError, messageOf } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import { reveal, Secret } from '../core/secret.ts'

/** Unit types that systemd-analyze can judge by the file alone; a drop-in is none. */
const UNIT_FILE = /\.(service|socket|target|timer|path|mount|automount|swap|slice|scope)$/

/** Refuses content that can be judged without a file. */
export function refuseInvalid(host: Host, { path, content, validate, secret }: Write): void {
  const words = complaint(reveal(content), validate?.kind)
  if (words === undefined) return
  // A parser's words quote the content.
  const hidden = secret === true || content instanceof Secret
  throw new TwonodeError(
    'E_INVALID_CONTENT',
    `${host.name}: the new content of ${path} is no ${validate?.kind ?? 'content'}`,
    hidden ? {} : { detail: words },
  )
}

function complaint(text: string, kind: string | undefined): string | undefined {
  if (kind === 'yaml') return parseDocument(text).errors[0]?.message
  if (kind !== 'json') return undefined
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** The command that judges a staged file, made from the file's path; undefined: none does. */
export function stagedValidation({
  path,
  validate,
}: Write): ((staged: string) => string[]) | undefined {
  if (validate?.kind === 'exec')
    return (staged) => validate.argv.map((word) => word.replaceAll('{}', staged))
  const name = basename(path)
  if (validate?.kind !== 'unit' || !UNIT_FILE.test(name)) return undefined
  // The alias gives the staged file the unit's own name; errors of units that it pulls in are theirs.
  return (staged) => [
    'systemd-analyze',
    'verify',
    '--man=no',
    '--recursive-errors=no',
    `${staged}:${name}`,
  ]
}
