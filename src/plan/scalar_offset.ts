/** How a scalar is written: what `yaml` calls its type. */
export type ScalarStyle =
  | 'PLAIN'
  | 'QUOTE_SINGLE'
  | 'QUOTE_DOUBLE'
  | 'BLOCK_LITERAL'
  | 'BLOCK_FOLDED'

/**
 * Where a character of a scalar's value stands in the scalar's source.
 *
 * All styles change white space only (folding, indentation), beside quotes and escapes. So the n-th
 * visible character of the value is the n-th visible one of the source, whatever lies between.
 */
export function sourceOffset(
  source: string,
  style: ScalarStyle,
  value: string,
  at: number,
): number {
  const atoms = visibleAtoms(source, style)
  const before = countVisible(value.slice(0, at))
  const isVisible = at < value.length && !isSpace(value[at] ?? ' ')
  if (isVisible) return atoms[before] ?? source.length
  // On white space or at the end: right behind the visible character before it.
  const previous = atoms[before - 1]
  return previous === undefined ? (atoms[0] ?? 0) : previous + 1
}

function visibleAtoms(source: string, style: ScalarStyle): readonly number[] {
  switch (style) {
    case 'BLOCK_LITERAL':
    case 'BLOCK_FOLDED': {
      const header = source.indexOf('\n')
      return header === -1 ? [] : plainAtoms(source, header + 1, source.length)
    }
    case 'QUOTE_SINGLE':
      return singleQuotedAtoms(source)
    case 'QUOTE_DOUBLE':
      return doubleQuotedAtoms(source)
    case 'PLAIN':
      return plainAtoms(source, 0, source.length)
  }
}

function plainAtoms(source: string, from: number, to: number): readonly number[] {
  const atoms: number[] = []
  for (let i = from; i < to; i++) if (!isSpace(source[i] ?? '')) atoms.push(i)
  return atoms
}

function singleQuotedAtoms(source: string): readonly number[] {
  const atoms: number[] = []
  for (let i = 1; i < source.length - 1; i++) {
    if (isSpace(source[i] ?? '')) continue
    atoms.push(i)
    if (source[i] === "'") i++
  }
  return atoms
}

function doubleQuotedAtoms(source: string): readonly number[] {
  const atoms: number[] = []
  let i = 1
  while (i < source.length - 1) {
    const escape = source[i] === '\\' ? escapeLength(source[i + 1] ?? '') : 0
    if (escape === 0) {
      if (!isSpace(source[i] ?? '')) atoms.push(i)
      i++
    } else {
      // An escape beyond the basic plane makes two characters of the value.
      for (let n = decodedVisible(source.slice(i, i + escape)); n > 0; n--) atoms.push(i)
      i += escape
    }
  }
  return atoms
}

function escapeLength(letter: string): number {
  return { x: 4, u: 6, U: 10 }[letter] ?? 2
}

function decodedVisible(escape: string): number {
  const letter = escape[1] ?? ''
  if ('xuU'.includes(letter)) {
    const code = parseInt(escape.slice(2), 16)
    return countVisible(Number.isNaN(code) ? '' : String.fromCodePoint(Math.min(code, 0x10ffff)))
  }
  return /[\sntNLPr_vf]/.test(letter) ? 0 : 1
}

function countVisible(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) if (!isSpace(text[i] ?? '')) count++
  return count
}

function isSpace(character: string): boolean {
  return /\s|\u0085/.test(character)
}
