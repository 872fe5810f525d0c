import type { Json, JsonObject } from '../core/json.ts'
import { isObject } from '../core/json.ts'
import { parse } from '@marcbachmann/cel-js'
import { referencesOf } from './expression_walk.ts'
import { Fault } from './fault.ts'
import { isTemplate, parseTemplate } from './template.ts'
import { templateReferences } from './template_check.ts'
import { isFileTemplate, isFileText, texts } from './values.ts'
import type { Path } from './yaml_file.ts'

/** What of a step can name something. */
export interface Referring {
  readonly args: JsonObject
  readonly vars?: JsonObject
  readonly when?: string
  readonly loop?: Json
  readonly until?: string
}

/**
 * Names at the top level that a step's templates and expressions use, found by walking their trees,
 * never by evaluating. A text that can't be parsed names nothing: the compiler refuses it.
 */
export function stepReferences(step: Referring, isCel: (path: Path) => boolean): readonly string[] {
  const found = new Set<string>()
  for (const text of [step.when, step.until])
    if (text !== undefined) for (const name of expressionNames(text)) found.add(name)
  for (const { text, cel } of argTexts(step.args, isCel))
    for (const name of cel ? expressionNames(text) : templateNames(text)) found.add(name)
  for (const { text } of texts(step.loop ?? null)) templateNames(text).forEach((n) => found.add(n))
  for (const { text } of texts(step.vars ?? null)) templateNames(text).forEach((n) => found.add(n))
  return [...found]
}

function* argTexts(
  value: Json,
  isCel: (path: Path) => boolean,
  path: Path = [],
): Generator<{ readonly text: string; readonly cel: boolean }> {
  if (typeof value === 'string') yield { text: value, cel: isCel(path) }
  else if (isFileTemplate(value)) yield { text: value.$template, cel: false }
  else if (isFileText(value)) return
  else if (Array.isArray(value))
    for (const [i, item] of value.entries()) yield* argTexts(item as Json, isCel, [...path, i])
  else if (isObject(value))
    for (const [key, item] of Object.entries(value)) yield* argTexts(item, isCel, [...path, key])
}

function templateNames(text: string): readonly string[] {
  if (!isTemplate(text)) return []
  return orNothing(() => templateReferences(parseTemplate(text)).map(([first = '']) => first))
}

function expressionNames(text: string): readonly string[] {
  return orNothing(() => referencesOf(parse(text).ast).map(({ parts: [first = ''] }) => first))
}

function orNothing(names: () => readonly string[]): readonly string[] {
  try {
    return names()
  } catch (error) {
    if (error instanceof Fault || (error instanceof Error && error.name === 'ParseError')) return []
    throw error
  }
}
