import { Ajv, type ValidateFunction } from 'ajv'
import { AJV_OPTIONS } from './ajv_options.ts'
import { MODULES } from '../index.ts'

const ajv = new Ajv(AJV_OPTIONS)
const compiled = new Map<string, ValidateFunction>()

/**
 * The compiled schema of a module; undefined for a name that is none. The build puts code compiled
 * beforehand in this file's place: ajv takes 80 ms for all of them, at every start.
 */
export function compiledSchemas(name: string): ValidateFunction | undefined {
  const known = compiled.get(name)
  if (known !== undefined) return known
  const module = MODULES.find((candidate) => candidate.name === name)
  if (module === undefined) return undefined
  const fresh = ajv.compile(module.schema)
  compiled.set(name, fresh)
  return fresh
}
