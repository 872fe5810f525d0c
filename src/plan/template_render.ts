import { isObject } from '../core/json.ts'
import { isSecretRef } from '../core/plan.ts'
import { reveal, Secret, type Text } from '../core/secret.ts'
import { Fault } from './fault.ts'
import type { Block, Reference, Template, TemplateNode } from './template.ts'
import { innerScope, resolve, rootScope, type Scope } from './template_scope.ts'
import { NotKnown, typeName, UNKNOWN, withSecrets, type Names } from './values.ts'

/** What a template is rendered with. */
export interface RenderWith {
  readonly names: Names
  readonly secrets: ReadonlyMap<string, Secret>
}

/**
 * Renders a template. One `{{name}}` alone keeps its value's type; anything else is text, and a
 * secret anywhere in it makes the whole a secret.
 *
 * @throws Fault if a name is missing or can't be text
 * @throws NotKnown if it needs a value that only the host knows
 */
export function renderTemplate(template: Template, using: RenderWith): unknown {
  const { whole } = template
  if (whole === undefined) return renderText(template, using)
  const value = known(resolve(whole, rootScope(using.names)))
  return withSecrets(value, using.secrets)
}

/** Renders a template as text, as in a file. */
export function renderText(template: Template, using: RenderWith): Text {
  const output = new Output(using.secrets)
  writeNodes(template.body, rootScope(using.names), output)
  return output.text()
}

class Output {
  readonly #secrets: ReadonlyMap<string, Secret>
  readonly #parts: string[] = []
  readonly #origins: string[] = []

  constructor(secrets: ReadonlyMap<string, Secret>) {
    this.#secrets = secrets
  }

  add(text: string): void {
    this.#parts.push(text)
  }

  addValue(value: unknown, reference: Reference): void {
    const found = isSecretRef(value) ? (this.#secrets.get(value.$secret) ?? UNKNOWN) : value
    if (found === UNKNOWN) throw new NotKnown()
    if (found instanceof Secret) {
      this.#origins.push(found.origin)
      this.#parts.push(reveal(found))
      return
    }
    refuseNoText(found, reference)
    this.#parts.push(String(found))
  }

  text(): Text {
    const joined = this.#parts.join('')
    return this.#origins.length === 0
      ? joined
      : new Secret(joined, [...new Set(this.#origins)].join(', '))
  }
}

/** @throws Fault if a known value can't stand in a text: a list, a map, null */
export function refuseNoText(value: unknown, { original, at }: Reference): void {
  if (value instanceof Secret || isSecretRef(value)) return
  if (value !== null && typeof value !== 'object') return
  const message = `${original} is ${typeName(value)} and can not be part of a text`
  throw new Fault('E_TEMPLATE', message, at)
}

function writeNodes(nodes: readonly TemplateNode[], scope: Scope, output: Output): void {
  for (const node of nodes) {
    if (node.kind === 'text') output.add(node.text)
    else if (node.kind === 'value') output.addValue(resolve(node.of, scope), node.of)
    else writeBlock(node, scope, output)
  }
}

function writeBlock(block: Block, scope: Scope, output: Output): void {
  const value = known(resolve(block.of, scope))
  const turns = turnsOf(block, value, scope)
  for (const turn of turns) writeNodes(block.body, turn, output)
  if (turns.length === 0) writeNodes(block.otherwise, scope, output)
}

function known(value: unknown): unknown {
  if (value === UNKNOWN) throw new NotKnown()
  return value
}

/** The scopes in which a block's body is written: none means its `else`. */
export function turnsOf(block: Block, value: unknown, scope: Scope): readonly Scope[] {
  switch (block.kind) {
    case 'if':
      return truthy(value) ? [scope] : []
    case 'unless':
      return truthy(value) ? [] : [scope]
    case 'with':
      return truthy(value)
        ? [innerScope(scope, value, { data: {}, params: paramsOf(block, [value]) })]
        : []
    case 'each':
      return eachTurns(block, value, scope)
  }
}

function eachTurns(block: Block, value: unknown, scope: Scope): readonly Scope[] {
  const { original, at } = block.of
  const isMap = isObject(value) && !(value instanceof Secret) && !isSecretRef(value)
  if (!Array.isArray(value) && !isMap)
    throw new Fault(
      'E_TEMPLATE',
      `${original} is ${typeName(value)}; {{#each}} takes a list or a map`,
      at,
    )
  const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value)
  return entries.map(([key, item], index) =>
    innerScope(scope, item, {
      data: { key, index, first: index === 0, last: index === entries.length - 1 },
      params: paramsOf(block, [item, key]),
    }),
  )
}

/** Block parameters by name: `as |item index|`. */
export function paramsOf(
  block: Block,
  values: readonly unknown[],
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(block.params.map((name, i) => [name, values[i] ?? UNKNOWN]))
}

/** As Handlebars has it: an empty list and 0 are false. */
function truthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  return Boolean(value)
}
