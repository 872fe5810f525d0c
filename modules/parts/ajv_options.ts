import type { Options } from 'ajv'

/**
 * How every module's schema is judged, by the compiler at run time (tests) and at build time alike.
 * Defaults are filled in; our own annotations (see `Schema` in core/module.ts) mean nothing to ajv.
 */
export const AJV_OPTIONS: Options = {
  allErrors: true,
  useDefaults: true,
  strict: true,
  strictTypes: true,
  strictRequired: false,
  allowUnionTypes: true,
  keywords: ['x-cel', 'x-cel-names', 'x-file', 'x-secret', 'x-takes-secret', 'x-octal', 'x-form'],
}
