import type { ASTNode } from '@marcbachmann/cel-js'

/** A name that an expression reads, as deep as it is written: `vars.port`, `host.name`. */
export interface ExpressionReference {
  readonly parts: readonly string[]
  /** Offset of its last part. @unit characters */
  readonly at: number
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
    if (!bound.has(path[0] ?? ''))
      found.push({ parts: path, at: lastPartAt(node), optional: false })
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
  else if (!bound.has(path[0] ?? ''))
    found.push({ parts: path, at: lastPartAt(only), optional: true })
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

/** `a.b["c"]` as a path; undefined for anything that is no plain path. */
function pathOf(node: ASTNode): readonly string[] | undefined {
  if (node.op === 'id') return [node.args]
  if (node.op === '.') {
    const start = pathOf(node.args[0])
    return start === undefined ? undefined : [...start, node.args[1]]
  }
  if (node.op !== '[]') return undefined
  const [of, key] = node.args
  const start = pathOf(of)
  if (start === undefined || key.op !== 'value') return undefined
  const part = key.args
  return typeof part === 'string' || typeof part === 'bigint' ? [...start, String(part)] : undefined
}

function lastPartAt(node: ASTNode): number {
  if (node.op === '.') return node.end - node.args[1].length
  return node.op === '[]' ? node.args[1].start : node.start
}
