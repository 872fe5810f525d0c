import type { ASTNode } from '@marcbachmann/cel-js'

/** A name that an expression reads, as deep as it is written: `vars.port`, `host.name`. */
export interface ExpressionReference {
  readonly parts: readonly string[]
  /** Where each part begins. @unit characters */
  readonly ats: readonly number[]
  /** Inside `has(…)`: its last part may be missing. */
  readonly optional: boolean
}

/** Macros whose first argument (or two) is a name of their own. */
const BINDING_MACROS = new Map([
  ['all', 1],
  ['exists', 1],
  ['exists_one', 1],
  ['map', 1],
  ['filter', 1],
])

/** All names that an expression reads from outside, found by walking its tree. */
export function referencesOf(ast: ASTNode): readonly ExpressionReference[] {
  const found: ExpressionReference[] = []
  walk(ast, new Set(), found)
  return found
}

type Found = ExpressionReference[]

function walk(node: ASTNode, bound: ReadonlySet<string>, found: Found): void {
  const path = pathOf(node)
  if (path !== undefined) {
    add(path, false, bound, found)
    return
  }
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all others have two or three operands
  switch (node.op) {
    case 'value':
    case 'id':
      return
    case 'call':
      return walkCall(node.args, bound, found)
    case 'rcall':
      return walkMethod(node.args, bound, found)
    case 'list':
      return node.args.forEach((item) => walk(item, bound, found))
    case 'map':
      return node.args.forEach((entry) => entry.forEach((part) => walk(part, bound, found)))
    case '!_':
    case '-_':
      return walk(node.args, bound, found)
    case '.':
    case '.?':
      return walk(node.args[0], bound, found)
    default:
      for (const part of node.args) walk(part, bound, found)
  }
}

function walkCall(
  [name, args]: readonly [string, readonly ASTNode[]],
  bound: ReadonlySet<string>,
  found: Found,
): void {
  const [only] = args
  const path = name === 'has' && only !== undefined ? pathOf(only) : undefined
  if (only === undefined || path === undefined) args.forEach((arg) => walk(arg, bound, found))
  else add(path, true, bound, found)
}

function add(path: PathInText, optional: boolean, bound: ReadonlySet<string>, found: Found): void {
  const parts = path.map(({ part }) => part)
  if (bound.has(parts[0] ?? '')) return
  found.push({ parts, ats: path.map(({ at }) => at), optional })
}

function walkMethod(
  [name, receiver, args]: readonly [string, ASTNode, readonly ASTNode[]],
  bound: ReadonlySet<string>,
  found: Found,
): void {
  const [first, ...rest] = args
  const isBind = name === 'bind' && receiver.op === 'id' && receiver.args === 'cel'
  if (!isBind) walk(receiver, bound, found)
  if (first?.op === 'id' && (isBind || BINDING_MACROS.has(name))) {
    const inner = new Set([...bound, first.args])
    // The value that `bind` names is outside the name's own scope.
    rest.forEach((arg, i) => walk(arg, isBind && i === 0 ? bound : inner, found))
  } else args.forEach((arg) => walk(arg, bound, found))
}

type PathInText = readonly { readonly part: string; readonly at: number }[]

/** `a.b["c"]` as a path; undefined for anything that is no plain path. */
function pathOf(node: ASTNode): PathInText | undefined {
  if (node.op === 'id') return [{ part: node.args, at: node.start }]
  if (node.op === '.') {
    const [of, part] = node.args
    const start = pathOf(of)
    return start === undefined ? undefined : [...start, { part, at: node.end - part.length }]
  }
  if (node.op !== '[]') return undefined
  const [of, key] = node.args
  const start = pathOf(of)
  if (start === undefined || key.op !== 'value') return undefined
  const part = key.args
  const isKey = typeof part === 'string' || typeof part === 'bigint'
  return isKey ? [...start, { part: String(part), at: key.start }] : undefined
}
