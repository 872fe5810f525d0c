import { Environment, type ParseResult } from '@marcbachmann/cel-js'
import { isObject } from '../core/json.ts'
import { isSecretRef } from '../core/plan.ts'
import { Secret } from '../core/secret.ts'
import { referencesOf, type ExpressionReference } from './expression_walk.ts'
import { Fault } from './fault.ts'
import { holdsSecret, holdsUnknown, lookup, UNKNOWN, type Names } from './values.ts'

/** A parsed CEL expression. */
export interface Expression {
  readonly text: string
  readonly references: readonly ExpressionReference[]
  readonly run: ParseResult
}

/** Environments by the names they declare: making one costs more than using it. */
const environments = new Map<string, Environment>()
const MOST_ENVIRONMENTS = 500

/**
 * Parses an expression and checks its types, as far as they show without values.
 *
 * @throws Fault (E_EXPRESSION, or E_VARIABLE for a name that is not among `names`)
 */
export function parseExpression(text: string, names: readonly string[]): Expression {
  const environment = environmentFor(names)
  const run = attempt(() => environment.parse(text), text)
  const references = referencesOf(run.ast)
  const unknown = references.find(({ parts }) => !names.includes(parts[0] ?? ''))
  if (unknown !== undefined)
    throw new Fault(
      'E_VARIABLE',
      `${unknown.parts[0]} is not defined`,
      unknown.ats[0] ?? 0,
      knownHint(names),
    )
  const { error } = run.check()
  if (error !== undefined) throw toFault(error, text)
  return { text, references, run }
}

function knownHint(names: readonly string[]): string {
  return `Known here: ${names.toSorted().join(', ')}. Text needs quotes.`
}

function environmentFor(names: readonly string[]): Environment {
  const key = names.toSorted().join(' ')
  const known = environments.get(key)
  if (known !== undefined) return known
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
  })
  for (const name of new Set(names)) environment.registerVariable(name, 'dyn')
  if (environments.size >= MOST_ENVIRONMENTS) environments.clear()
  environments.set(key, environment)
  return environment
}

/** Looks up every name of an expression, as deep as it is known here. */
export function checkExpression(
  expression: Expression,
  names: Names,
  report: (fault: Fault) => void,
): void {
  for (const { parts, ats, optional } of expression.references) {
    const needed = optional ? parts.slice(0, -1) : parts
    const found = lookup(names, needed, [])
    if ('missing' in found)
      report(new Fault('E_VARIABLE', found.missing, ats[found.index] ?? 0, found.hint))
    else if (!optional && holdsSecret(found.value))
      report(
        new Fault(
          'E_EXPRESSION',
          `${parts.join('.')} is a secret; expressions can not see secrets`,
          ats.at(-1) ?? 0,
        ),
      )
  }
}

/**
 * The value of an expression. Whole numbers go in as integers and come out as numbers.
 *
 * @throws Fault whose message holds no value
 */
export function evaluate(text: string, names: Names): unknown {
  const expression = parseExpression(text, Object.keys(names))
  return run(expression, names)
}

/** The value if it can be told already, or {@link UNKNOWN}: `false && unknown` is false. */
export function evaluateEarly(expression: Expression, names: Names): unknown {
  const hazard = expression.references.some(({ parts, optional }) => {
    const found = lookup(names, optional ? parts.slice(0, -1) : parts, [])
    return 'value' in found && (optional || found.value !== UNKNOWN) && holdsUnknown(found.value)
  })
  // A map that lacks its unknown keys would answer has(), size() and == wrongly.
  if (hazard) return UNKNOWN
  try {
    return run(expression, names)
  } catch (error) {
    if (error instanceof Fault) return UNKNOWN
    throw error
  }
}

function run({ references, run: act, text }: Expression, names: Names): unknown {
  const roots = new Set(references.map(({ parts }) => parts[0] ?? ''))
  const context: Record<string, unknown> = {}
  for (const root of roots) {
    const value = toCel(names[root])
    if (value !== undefined) context[root] = value
  }
  return attempt(() => fromCel(act(context)), text)
}

/** Secrets and unknown values stay outside: they are missing keys. */
function toCel(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (value === UNKNOWN || value instanceof Secret || isSecretRef(value)) return undefined
  if (Array.isArray(value)) return value.map((item) => toCel(item) ?? HIDDEN)
  if (!isObject(value)) return value
  const entries = Object.entries(value).map(([key, item]) => [key, toCel(item)] as const)
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined))
}

/** An entry that a list can't leave out: CEL refuses to touch its type. */
const HIDDEN = Symbol('hidden')

function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(fromCel)
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [k, fromCel(v)]))
  if (!isObject(value)) return value
  // CEL's unsigned integers are objects around one.
  const primitive: unknown = value.valueOf()
  if (typeof primitive === 'bigint') return Number(primitive)
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fromCel(v)]))
}

function attempt<T>(act: () => T, text: string): T {
  try {
    return act()
  } catch (error) {
    throw toFault(error, text)
  }
}

/**
 * Codes whose own words hold nothing but types and names of the expression itself. The words of all
 * others may hold values, and are not shown.
 */
const PLAIN_WORDS = new Set([
  'no_such_overload',
  'no_matching_overload',
  'invalid_condition_type',
  'incompatible_ternary_branches',
  'unexpected_token',
  'unexpected_character',
  'unterminated_string',
  'expected_token',
  'reserved_identifier',
  'invalid_macro_argument',
  'division_by_zero',
  'modulo_by_zero',
])

function toFault(error: unknown, text: string): Fault {
  const { code, summary, range } = error as {
    readonly code?: unknown
    readonly summary?: unknown
    readonly range?: { readonly start: number; readonly end: number }
  }
  const at = range?.start ?? 0
  if (typeof code !== 'string') return new Fault('E_EXPRESSION', 'can not be evaluated', at)
  // The expression's own words, as a person wrote them: never what they stand for.
  if (code === 'no_such_key')
    return new Fault('E_VARIABLE', `no such key: ${text.slice(at, range?.end ?? at)}`, at)
  const words = PLAIN_WORDS.has(code) ? String(summary) : code.replaceAll('_', ' ')
  return new Fault('E_EXPRESSION', words, at)
}
