import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, type ScalarTag } from 'yaml'
import { validatorFor } from '../../modules/parts/validators.ts'
import { describeChange, type Change } from '../../src/core/change.ts'
import { NotYet } from '../../src/core/errors.ts'
import { isObject } from '../../src/core/json.ts'
import type { AnyModule, Evaluate } from '../../src/core/module.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { evaluate as evaluateCel } from '../../src/plan/expression.ts'
import { createScriptedHost, type Script } from './scripted_host.ts'

/** One case file: the args, what the host answers, and what the module makes of it. */
interface Case {
  readonly args: unknown
  readonly host?: Script
  /** Each change as `describeChange` says it; with `content` the text that is written. */
  readonly changes?: readonly (string | { readonly change: string; readonly content: string })[]
  /** The step fails with these words. */
  readonly refuse?: string
  /** It can not be observed yet, for this reason. */
  readonly notYet?: string
  readonly notes?: readonly string[]
  readonly result?: unknown
  /** Problems of the args, as `path: message`. */
  readonly problems?: readonly string[]
}

const CASES = join(import.meta.dirname, '../modules')

const secretTag: ScalarTag = {
  tag: '!secret',
  resolve: (text) => new Secret(text, 'case'),
}

/** Names of a case's CEL are those that the module gives. */
export const evaluateNames: Evaluate = (expression, names) => evaluateCel(expression, names)

/**
 * Runs every case in `test/modules/<name>/*.yaml`, and holds the module's own documentation to its
 * schema.
 */
export function moduleCases(module: AnyModule): void {
  describe(`${module.name}: documentation`, () => {
    test('every argument is described', () => {
      expect(undescribed(module.schema)).toEqual([])
    })
    test.each(module.doc.examples.map(({ title, args }) => ({ title, args })))(
      'the example "$title" is valid',
      ({ args }) => {
        expect(validatorFor(module.name)(structuredClone(args))).toEqual([])
      },
    )
    test('an unknown argument is refused by its name', () => {
      const [example] = module.doc.examples
      const problems = validatorFor(module.name)({ ...example?.args, no_such_argument: true })
      expect(problems).toMatchObject([{ path: ['no_such_argument'], unknownKey: true }])
    })
  })

  describe(`${module.name}: cases`, () => {
    test.each(caseFiles(module.name))('$title', async ({ text }) => {
      const one = parse(text, { customTags: [secretTag] }) as Case
      const { expected, seen } = await runCase(module, one)
      expect(seen).toEqual(expected)
      for (const secret of secretsIn(one.args))
        expect(JSON.stringify(seen)).not.toContain(reveal(secret))
    })
  })
}

/** Title: the comment at the top of the file, else its name. */
function caseFiles(name: string): readonly { readonly title: string; readonly text: string }[] {
  const folder = join(CASES, name)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted()
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8')
      const [, comment] = /^# (.+)/.exec(text) ?? []
      return { title: comment ?? file, text }
    })
}

/** What the case says, and what the module did, as far as the case says anything of it. */
interface Judged {
  readonly expected: Partial<Case>
  readonly seen: Partial<Record<keyof Case, unknown>>
}

async function runCase(module: AnyModule, { args, host = {}, ...told }: Case): Promise<Judged> {
  const problems = validatorFor(module.name)(args)
  if (problems.length > 0 || told.problems !== undefined)
    return {
      expected: told,
      seen: { problems: problems.map(({ path, message }) => `${path.join('.')}: ${message}`) },
    }
  const state = await observation(module, host, args)
  if (state instanceof NotYet) return { expected: told, seen: { notYet: state.message } }
  const refuse = module.refuse?.(state, args, evaluateNames)
  if (refuse !== undefined) return { expected: told, seen: { refuse } }
  const changes = module.diff(state, args).map((change, n) => shown(change, told.changes?.[n]))
  return {
    expected: { changes: [], ...told },
    seen: {
      changes,
      ...(told.notes === undefined ? {} : { notes: module.notes?.(state, args) }),
      ...(told.result === undefined ? {} : { result: module.result?.(state, args) }),
    },
  }
}

async function observation(module: AnyModule, script: Script, args: unknown): Promise<unknown> {
  try {
    return await module.observe(createScriptedHost(script), args)
  } catch (error) {
    if (error instanceof NotYet) return error
    throw error
  }
}

/** In the form in which the case expects it. */
function shown(change: Change, expected: unknown): unknown {
  const summary = describeChange(change)
  if (!isObject(expected)) return summary
  return { change: summary, content: change.kind === 'write' ? reveal(change.content) : undefined }
}

function secretsIn(value: unknown): readonly Secret[] {
  if (value instanceof Secret) return [value]
  if (Array.isArray(value)) return value.flatMap(secretsIn)
  return isObject(value) ? Object.values(value).flatMap(secretsIn) : []
}

function undescribed(schema: unknown, path = ''): readonly string[] {
  if (!isObject(schema) || !isObject(schema['properties'])) return []
  return Object.entries(schema['properties']).flatMap(([name, property]) => [
    ...(isObject(property) && typeof property['description'] === 'string' ? [] : [path + name]),
    ...undescribed(property, `${path}${name}.`),
    ...(isObject(property) ? undescribed(property['items'], `${path}${name}[].`) : []),
  ])
}
