import { parseDocument } from 'yaml'
import { TwonodeError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'

/**
 * A value from the command line. Whole numbers, true and false become what they say, text that begins
 * with [ or { is YAML; all else is text, so that 1.10 and 0644 stay as they were typed.
 */
export function typedText(text: string, where: string): Json {
  if (text === 'true') return true
  if (text === 'false') return false
  if (/^(0|-?[1-9]\d{0,14})$/.test(text)) return Number(text)
  if (!/^[[{]/.test(text)) return text
  const document = parseDocument(text)
  const [error] = document.errors
  if (error === undefined) return document.toJS() as Json
  throw new TwonodeError('E_USAGE', `${where}: ${error.message.split('\n')[0] ?? ''}`, {
    hint: 'A value that begins with [ or { is YAML; quote the whole argument for the shell.',
  })
}

/** `name=value`, split at the first `=`. */
export function splitAssignment(text: string, where: string): readonly [string, string] {
  const found = /^([A-Za-z_][\w.-]*)=([\s\S]*)$/.exec(text)
  if (found?.[1] !== undefined && found[2] !== undefined) return [found[1], found[2]]
  throw new TwonodeError('E_USAGE', `${where}: "${text}" is not NAME=VALUE`)
}
