import { TwonodeError } from '../core/errors.ts'
import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Registry, Schema } from '../core/module.ts'
import type { PlanStep } from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'
import { evaluate } from './expression.ts'
import { Fault } from './fault.ts'
import { stepReferences } from './step_references.ts'
import { renderTree, TreeFault } from './tree.ts'
import { isTemplate } from './template.ts'
import { texts, typeName, UNKNOWN, type Names } from './values.ts'
import { resolveVars } from './vars_resolve.ts'
import type { Path } from './yaml_file.ts'

/** Renders and judges the texts of steps; it fits the engine's port of the same name. */
export interface StepContext {
  /** The args with every template rendered; a value that a secret went into is a secret. */
  renderArgs(step: PlanStep, names: Names): unknown
  /** True for a step without a condition. */
  when(step: PlanStep, names: Names): boolean
  /** The items, or undefined for a step without a loop. */
  loop(step: PlanStep, names: Names): readonly unknown[] | undefined
  /** One CEL expression of this step: `until`, and what its args mark as CEL. */
  evaluate(expression: string, step: PlanStep, names: Names): unknown
  /** True if any text of the step uses this name, at its top level. */
  mentions(step: PlanStep, name: string): boolean
}

/** More items than this is a mistake in data, not a task. @unit items */
const MOST_ITEMS = 1_000

/**
 * Makes the context of a run on a host. Errors are {@link TwonodeError}s at the step's place; their
 * messages name what is wrong and never show a value.
 */
export function stepContext(registry: Registry, secrets: ReadonlyMap<string, Secret>): StepContext {
  const schemaOf = (step: PlanStep): Schema => registry.get(step.module)?.schema ?? {}
  const namesFor = rememberingNames(secrets)
  const cel = (text: string, step: PlanStep, names: Names) =>
    at(step, text, () => evaluate(text, namesFor(step, names)))
  return {
    renderArgs: (step, names) => {
      const using = { names: at(step, 'vars', () => namesFor(step, names)), secrets }
      const isRaw = celPaths(schemaOf(step))
      return at(step, 'args', () => renderTree(step.args, { ...using, isRaw }))
    },
    when: (step, names) => {
      if (step.when === undefined) return true
      const value = cel(step.when, step, names)
      if (typeof value === 'boolean') return value
      throw faultAt(
        step,
        new Fault('E_EXPRESSION', `when is ${typeName(value)}, not true or false`, 0),
      )
    },
    loop: (step, names) => {
      if (step.loop === undefined) return undefined
      const using = { names: at(step, 'vars', () => namesFor(step, names)), secrets }
      const items = at(step, 'loop', () => renderTree(step.loop, using))
      if (Array.isArray(items) && items.length <= MOST_ITEMS) return items
      const why = Array.isArray(items)
        ? `has more than ${MOST_ITEMS} items`
        : `is ${typeName(items)}, not a list`
      throw faultAt(step, new Fault('E_TEMPLATE', `loop ${why}`, 0))
    },
    evaluate: cel,
    mentions: (step, name) => stepReferences(step, celPaths(schemaOf(step))).includes(name),
  }
}

/** Variables are rendered once for each step and set of names, not once for each of its texts. */
function rememberingNames(
  secrets: ReadonlyMap<string, Secret>,
): (step: PlanStep, names: Names) => Names {
  const known = new WeakMap<Names, WeakMap<PlanStep, Names>>()
  return (step, names) => {
    const bySteps = known.get(names) ?? new WeakMap<PlanStep, Names>()
    known.set(names, bySteps)
    const done = bySteps.get(step)
    if (done !== undefined) return done
    const made = stepNames(names, step.vars, secrets)
    bySteps.set(step, made)
    return made
  }
}

/**
 * Names as a step sees them: its play's variables below those of the host, all rendered; `leads`
 * beside each role, for Handlebars can't compare.
 */
export function stepNames(
  names: Names,
  playVars: JsonObject | undefined,
  secrets: ReadonlyMap<string, Secret>,
): Names {
  const host = withLeads(names['host'])
  const peer = withLeads(names['peer'])
  const all = { ...names, host, peer }
  const vars = resolveVars({ ...playVars, ...(names['vars'] as JsonObject) }, all, secrets)
  return { ...all, vars, host: { ...host, vars }, peer: { ...peer, vars: plainVars(peer['vars']) } }
}

function withLeads(side: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(side)) return {}
  const { role } = side
  return { ...side, leads: role === UNKNOWN ? UNKNOWN : role === 'leader' }
}

/** The peer's templates could only be rendered with the peer's names: those variables stay out. */
function plainVars(vars: unknown): Readonly<Record<string, unknown>> {
  const entries = Object.entries(isObject(vars) ? vars : {})
  return Object.fromEntries(
    entries.filter(([, value]) => [...texts(value as Json)].every(({ text }) => !isTemplate(text))),
  )
}

/** Tells which args hold CEL, by their schema. */
export function celPaths(schema: Schema): (path: Path) => boolean {
  return (path) => schemaAt(schema, path)['x-cel'] === true
}

/** The schema of the value at a path; empty if the schema does not say. */
export function schemaAt(schema: Schema, path: Path): Schema {
  let here: Schema = schema
  for (const step of path) {
    const properties = here['properties']
    const own = isObject(properties) ? properties[String(step)] : undefined
    const next = typeof step === 'number' ? here['items'] : (own ?? here['additionalProperties'])
    if (!isObject(next)) return {}
    here = next
  }
  return here
}

function at<T>(step: PlanStep, what: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof TreeFault) throw treeFaultAt(step, error)
    if (error instanceof Fault) throw faultAt(step, error, what)
    throw error
  }
}

function faultAt(step: PlanStep, fault: Fault, where?: string): TwonodeError {
  const { kind, message, hint } = fault
  const text = where === undefined ? message : `${where}: ${message}`
  return new TwonodeError(kind, text, {
    place: step.place,
    ...(hint === undefined ? {} : { hint }),
  })
}

function treeFaultAt(step: PlanStep, { path, fault, source }: TreeFault): TwonodeError {
  if (source === undefined) return faultAt(step, fault, path.join('.'))
  const { kind, message, hint } = fault
  return new TwonodeError(kind, message, {
    place: placeInText(source.file, source.text, fault.at),
    ...(hint === undefined ? {} : { hint }),
  })
}

/** The place of a character in a file whose text is known. */
export function placeInText(
  file: string,
  text: string,
  offset: number,
): { file: string; line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { file, line: before.length, column: (before.at(-1) ?? '').length + 1 }
}
