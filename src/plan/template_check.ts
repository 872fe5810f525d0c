import { Fault } from './fault.ts'
import type { Block, Reference, Template, TemplateNode } from './template.ts'
import { paramsOf, refuseNoText, turnsOf } from './template_render.ts'
import { innerScope, resolve, rootScope, type Scope } from './template_scope.ts'
import { UNKNOWN, type Names } from './values.ts'

/**
 * Looks up every name of a template, as deep as it is known here, in all branches that can be taken.
 */
export function checkTemplate(
  template: Template,
  names: Names,
  report: (fault: Fault) => void,
): void {
  if (template.whole !== undefined) find(template.whole, rootScope(names), report)
  else checkNodes(template.body, rootScope(names), report)
}

function checkNodes(
  nodes: readonly TemplateNode[],
  scope: Scope,
  report: (fault: Fault) => void,
): void {
  for (const node of nodes) {
    if (node.kind === 'text') continue
    const value = find(node.of, scope, report)
    if (value === MISSING) continue
    if (node.kind === 'value') {
      attempt(() => refuseNoText(value, node.of), report)
      continue
    }
    for (const { body, inside } of branches(node, value, scope, report))
      checkNodes(body, inside, report)
  }
}

interface Branch {
  readonly body: readonly TemplateNode[]
  readonly inside: Scope
}

function branches(
  block: Block,
  value: unknown,
  scope: Scope,
  report: (fault: Fault) => void,
): readonly Branch[] {
  const otherwise = { body: block.otherwise, inside: scope }
  if (value === UNKNOWN) return [{ body: block.body, inside: unknownTurn(block, scope) }, otherwise]
  const turns = attempt(() => turnsOf(block, value, scope), report) ?? []
  return turns.length === 0 ? [otherwise] : turns.map((inside) => ({ body: block.body, inside }))
}

function unknownTurn(block: Block, scope: Scope): Scope {
  if (block.kind === 'if' || block.kind === 'unless') return scope
  const data = { key: UNKNOWN, index: UNKNOWN, first: UNKNOWN, last: UNKNOWN }
  return innerScope(scope, UNKNOWN, { data, params: paramsOf(block, []) })
}

const MISSING = Symbol('missing')

function find(reference: Reference, scope: Scope, report: (fault: Fault) => void): unknown {
  const found = attempt(() => ({ value: resolve(reference, scope) }), report)
  return found === undefined ? MISSING : found.value
}

function attempt<T>(act: () => T, report: (fault: Fault) => void): T | undefined {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    report(error)
    return undefined
  }
}

/** Names at the top that a template reads, as paths: `vars.port`, `probe.stdout`. */
export function templateReferences(template: Template): readonly (readonly string[])[] {
  const found: (readonly string[])[] = []
  collect(template.body, { depth: 0, params: new Set() }, found)
  return found
}

interface Depth {
  readonly depth: number
  readonly params: ReadonlySet<string>
}

function collect(nodes: readonly TemplateNode[], here: Depth, found: (readonly string[])[]): void {
  for (const node of nodes) {
    if (node.kind === 'text') continue
    const { parts, data, depth, scoped } = node.of
    const isParam = !scoped && depth === 0 && here.params.has(parts[0] ?? '')
    if (data && parts[0] === 'root') found.push(parts.slice(1))
    else if (!data && !isParam && depth === here.depth) found.push(parts)
    if (node.kind === 'value') continue
    const isInner = node.kind === 'each' || node.kind === 'with'
    const params = new Set([...here.params, ...node.params])
    collect(node.body, { depth: here.depth + (isInner ? 1 : 0), params }, found)
    collect(node.otherwise, here, found)
  }
}
