/** Terminal colours, or none: every function returns its text as it is when colour is off. */
export interface Paint {
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly magenta: (text: string) => string
  readonly cyan: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

/** @source https://no-color.org and https://force-color.org */
export function wantsColour(
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  const { NO_COLOR: none, FORCE_COLOR: force, TERM: terminal } = env
  if (none !== undefined && none !== '') return false
  if (force !== undefined && force !== '') return force !== '0'
  return isTerminal && terminal !== 'dumb'
}

export function createPaint(on: boolean): Paint {
  const code = (open: number, close: number) => (text: string) =>
    on && text !== '' ? `\u001B[${open}m${text}\u001B[${close}m` : text
  return {
    red: code(31, 39),
    green: code(32, 39),
    yellow: code(33, 39),
    magenta: code(35, 39),
    cyan: code(36, 39),
    dim: code(2, 22),
    bold: code(1, 22),
  }
}

/**
 * Text from a host or a file, made harmless for a terminal: escape sequences and other controls
 * could hide what happened.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, (c) =>
    c === '\r' ? '' : `\\x${c.codePointAt(0)?.toString(16).padStart(2, '0') ?? ''}`,
  )
}
