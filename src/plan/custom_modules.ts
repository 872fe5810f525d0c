import { TwonodeError, messageOf } from '../core/errors.ts'
import { isObject, type Json } from '../core/json.ts'
import type { AnyModule, Registry, Schema, SchemaProblem, Validate } from '../core/module.ts'
import type { CustomModule } from '../core/plan.ts'
import { Secret } from '../core/secret.ts'
import { checkSchema } from './schema_check.ts'

/**
 * What `import { … } from 'twonode'` gives a custom module. The module's text is all that travels, so
 * this is text too. NotYet is known by its name wherever it is caught.
 */
const TWONODE = `
export const defineModule = (module) => module
export class NotYet extends Error { name = 'NotYet' }
export const identifier = (name) => '"' + String(name).replaceAll('"', '""') + '"'
export const literal = (value) => {
  const quoted = "'" + String(value).replaceAll("'", "''").replaceAll('\\\\', '\\\\\\\\') + "'"
  return value.includes('\\\\') ? 'E' + quoted : quoted
}
`

const FROM_TWONODE = /(\bfrom\s*)(['"])twonode\2/g

/** Static and dynamic imports; a specifier in a variable is caught when it runs, by having no base. */
const IMPORTS =
  /\b(?:import|export)\b[^'"`;()]*?\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g

/**
 * A module from the text of its file. Held to the contract; what it does when it runs is the
 * author's.
 *
 * @throws TwonodeError E_PLAYBOOK with what the contract misses
 */
export async function loadCustomModule(
  name: string,
  source: string,
  file: string,
): Promise<AnyModule> {
  const refuse = (why: string, cause?: unknown) =>
    new TwonodeError('E_PLAYBOOK', `the module ${name}: ${why}`, {
      place: { file, line: 1, column: 1 },
      hint: 'A module is one file: `export default defineModule({…})`, importing from twonode only.',
      cause,
    })
  const foreign = [...source.matchAll(IMPORTS)].map(([, one, other]) => one ?? other ?? '')
  const other = foreign.find((from) => from !== 'twonode')
  if (other !== undefined) throw refuse(`it imports ${other}`)
  const self = source.replaceAll(FROM_TWONODE, `$1${JSON.stringify(dataUrl(TWONODE))}`)
  let loaded: unknown
  try {
    loaded = await import(dataUrl(self))
  } catch (error) {
    throw refuse(messageOf(error), error)
  }
  const module = isObject(loaded) ? loaded['default'] : undefined
  const missing = missingOf(module, name)
  if (missing !== undefined) throw refuse(missing)
  return module as AnyModule
}

function dataUrl(source: string): string {
  return `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`
}

function missingOf(module: unknown, name: string): string | undefined {
  if (!isObject(module)) return 'it has no default export'
  if (module['name'] !== name)
    return `its name is ${JSON.stringify(module['name'])}, not its file's`
  for (const part of ['key', 'observe', 'diff'])
    if (typeof module[part] !== 'function') return `${part} is no function`
  const { doc, schema } = module
  if (!isObject(doc) || typeof doc['summary'] !== 'string' || typeof doc['source'] !== 'string')
    return 'doc needs a summary and a source'
  if (!Array.isArray(doc['examples'])) return 'doc.examples is no list'
  if (!isObject(schema) || schema['type'] !== 'object' || !isObject(schema['properties']))
    return "schema is no object's schema with properties"
  if (schema['additionalProperties'] !== false) return 'schema.additionalProperties is not false'
  return undefined
}

/** The built-in modules and those of a plan, with the judge of their arguments. */
export interface Modules {
  readonly registry: Registry
  readonly validate: Validate
}

/** Adds the modules that a plan brings along. */
export async function withCustomModules(
  { registry, validate }: Modules,
  custom: readonly CustomModule[],
): Promise<Modules> {
  if (custom.length === 0) return { registry, validate }
  const own = new Map<string, AnyModule>()
  for (const { name, source } of custom)
    own.set(name, await loadCustomModule(name, source, `modules/${name}.mjs`))
  return {
    registry: new Map([...registry, ...own]),
    validate: (name, args) => {
      const module = own.get(name)
      return module === undefined ? validate(name, args) : judge(module.schema, args)
    },
  }
}

/** By the same rules as inventories; defaults are filled into args, as the built-in judge does. */
function judge(schema: Schema, args: unknown): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = []
  const checked = checkSchema(schema, withoutSecrets(args), [], ({ path, message, hint, key }) =>
    problems.push({
      path,
      message,
      unknownKey: key === true,
      ...(hint === undefined ? {} : { hint }),
    }),
  )
  if (isObject(args) && isObject(checked))
    for (const [name, value] of Object.entries(checked)) if (!(name in args)) args[name] = value
  return problems
}

/** A value that a secret went into is judged like the reference that it came from. */
function withoutSecrets(value: unknown): Json {
  if (value instanceof Secret) return { $secret: value.origin }
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (!isObject(value)) return value as Json
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, withoutSecrets(part)] as const),
  )
}
