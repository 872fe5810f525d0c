/** Trouble of the lab itself, expected and worded for a person; `hint` says what to do next. */
export class LabError extends Error {
  override readonly name = 'LabError'
  readonly hint: string
  /** 2 for a wrong request, 3 for work that failed. */
  readonly exitCode: 2 | 3

  constructor(message: string, hint: string, more: { exitCode?: 2 | 3; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.hint = hint
    this.exitCode = more.exitCode ?? 3
  }
}
