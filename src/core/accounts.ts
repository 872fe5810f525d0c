/**
 * Several hosts' accounts as one, oldest first. Each keeps its own order, whatever its clock did
 * meanwhile: what comes out of one account later has happened later.
 */
export function mergeAccounts<Line extends { readonly at: string }>(
  accounts: readonly (readonly Line[])[],
): readonly Line[] {
  const left = accounts.map((lines) => [...lines])
  const all: Line[] = []
  for (;;) {
    const [first, ...others] = left.filter((lines) => lines.length > 0)
    if (first === undefined) return all
    const oldest = others.reduce((a, b) => (atOf(b) < atOf(a) ? b : a), first)
    all.push(...oldest.splice(0, 1))
  }
}

function atOf([line]: readonly { readonly at: string }[]): string {
  return line?.at ?? ''
}
