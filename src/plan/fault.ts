import type { ErrorKind } from '../core/errors.ts'

/**
 * What is wrong inside a template or an expression, by character: whoever knows which file the text
 * stands in makes a {@link TwonodeError} with its place. The message never holds a value.
 */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly kind: ErrorKind
  /** Offset in the text. @unit characters */
  readonly at: number
  readonly hint: string | undefined

  constructor(kind: ErrorKind, message: string, at: number, hint?: string) {
    super(message)
    this.kind = kind
    this.at = at
    this.hint = hint
  }
}
