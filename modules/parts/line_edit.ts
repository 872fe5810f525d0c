/** What the lines of a text should be like. */
export interface LineEdit {
  readonly lines: readonly string[]
  readonly regexp: string | undefined
  readonly insertAfter: string | undefined
  readonly state: 'present' | 'absent'
}

/** The text with the lines in it, or without them. A second edit with the same changes nothing. */
export function editLines(text: string, edit: LineEdit): string {
  const all = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  const edited = edit.state === 'absent' ? without(all, edit) : withLines(all, edit)
  if (edited.length === all.length && edited.every((line, index) => line === all[index]))
    return text
  return edited.length === 0 ? '' : `${edited.join('\n')}\n`
}

function without(all: readonly string[], { lines, regexp }: LineEdit): readonly string[] {
  const pattern = regexp === undefined ? undefined : new RegExp(regexp)
  return all.filter((line) => !lines.includes(line) && !(pattern?.test(line) ?? false))
}

function withLines(all: readonly string[], { lines, regexp, insertAfter }: LineEdit): string[] {
  const edited = [...all]
  const missing = lines.filter((line) => !replaced(edited, line, regexp))
  edited.splice(insertionPoint(edited, insertAfter), 0, ...missing)
  return edited
}

/**
 * Replaces the last match. A pattern that does not match the line itself would find another victim at
 * each run: then a line that is there already is enough.
 */
function replaced(edited: string[], line: string, regexp: string | undefined): boolean {
  const pattern = regexp === undefined ? undefined : new RegExp(regexp)
  if (edited.includes(line) && !(pattern?.test(line) ?? false)) return true
  const match = pattern === undefined ? -1 : edited.findLastIndex((known) => pattern.test(known))
  if (match === -1) return false
  edited[match] = line
  return true
}

function insertionPoint(edited: readonly string[], insertAfter: string | undefined): number {
  if (insertAfter === undefined) return edited.length
  const match = edited.findLastIndex((line) => new RegExp(insertAfter).test(line))
  return match === -1 ? edited.length : match + 1
}
