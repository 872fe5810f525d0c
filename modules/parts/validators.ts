import type { ErrorObject } from 'ajv'
import type { Schema, SchemaProblem, Validate } from '../../src/core/module.ts'
import { registry } from '../index.ts'
import { problemOf } from './schema_problem.ts'
import { compiledSchemas } from './schema_compiler.ts'
import { secretProblems, withDefaultsOf, withoutSecrets } from './tainted_args.ts'

/**
 * Checks args against the module's schema and fills the schema's defaults into them, in place.
 * Secrets (values or references) are accepted where the schema says that it takes them, and refused
 * everywhere else: they would reach an argv, a key or a message.
 */
export function validatorFor(name: string): (args: unknown) => readonly SchemaProblem[] {
  const schema = registry.get(name)?.schema
  const check = compiledSchemas(name)
  if (schema === undefined || check === undefined) throw new Error(`no module is called ${name}`)
  return (args) => {
    const plain = withoutSecrets(args)
    const valid = check(plain)
    withDefaultsOf(plain, args)
    const problems = valid ? [] : readable(check.errors ?? [], schema)
    const tainted = secretProblems(args, schema)
    // Whatever else is wrong with a mask is not what is wrong there.
    const masked = new Set(tainted.map(({ path }) => path.join('/')))
    return [...problems.filter(({ path }) => !masked.has(path.join('/'))), ...tainted]
  }
}

/** The same by name, in the form that compiler and engine are given. */
export const validate: Validate = (module, args) => validatorFor(module)(args)

/** Keywords that say for all the errors below them what is wrong. */
const SUMMARIES: ReadonlySet<string> = new Set(['oneOf', 'anyOf', 'propertyNames'])

/** One problem for each thing to mend: the branches of a failed choice say nothing by themselves. */
function readable(errors: readonly ErrorObject[], schema: Schema): SchemaProblem[] {
  const choices = errors.filter(({ keyword }) => SUMMARIES.has(keyword))
  return errors
    .filter(
      (error) => !choices.some(({ schemaPath }) => error.schemaPath.startsWith(`${schemaPath}/`)),
    )
    .filter(({ keyword }) => keyword !== 'if')
    .map((error) => problemOf(error, schema))
}
