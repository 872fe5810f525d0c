/** A position in a file that a person wrote. Lines and columns start at 1, as editors count. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** `file:line:col`, the form that editors and terminals turn into a link. */
export function formatPlace({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`
}
