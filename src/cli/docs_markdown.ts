const PRINTED = '<!-- Printed by `twonode docs --write docs`; edit the source, not this page. -->'

/** A page of the reference. */
export function page(title: string, blocks: readonly string[]): string {
  return `${[`# ${title}`, PRINTED, ...blocks].join('\n\n')}\n`
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(row)].join('\n')
}

function row(cells: readonly string[]): string {
  return `| ${cells.map(cell).join(' | ')} |`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
}
