import { isObject, type Json } from '../core/json.ts'
import { isSecretRef } from '../core/plan.ts'
import { Secret } from '../core/secret.ts'
import { Fault } from './fault.ts'
import { isTemplate, parseTemplate } from './template.ts'
import { renderTemplate, renderText, type RenderWith } from './template_render.ts'
import { isFileTemplate, isFileText, mapValues, NotKnown, UNKNOWN } from './values.ts'
import type { Path } from './yaml_file.ts'

/** What rendering a tree needs beside names and secrets. */
export interface TreeOptions extends RenderWith {
  /** Texts that are no templates: CEL, which `x-cel` marks. */
  readonly isRaw?: (path: Path) => boolean
}

/** A fault with the path of the text that it is in; `file` if the text is that of a file. */
export class TreeFault extends Error {
  override readonly name = 'TreeFault'
  readonly path: Path
  readonly fault: Fault
  readonly source: { readonly file: string; readonly text: string } | undefined

  constructor(path: Path, fault: Fault, source?: TreeFault['source']) {
    super(fault.message)
    this.path = path
    this.fault = fault
    this.source = source
  }
}

/**
 * Renders all texts of a tree. What only the host knows becomes {@link UNKNOWN}.
 *
 * @throws TreeFault
 */
export function renderTree(
  value: Json | undefined,
  options: TreeOptions,
  path: Path = [],
): unknown {
  if (typeof value === 'string') {
    if (!isTemplate(value) || options.isRaw?.(path) === true) return value
    return early(path, () => renderTemplate(parseTemplate(value), options))
  }
  if (isFileText(value)) return value.$text
  if (isFileTemplate(value)) {
    const source = { file: value.file, text: value.$template }
    return early(path, () => renderText(parseTemplate(source.text), options), source)
  }
  if (isSecretRef(value)) return options.secrets.get(value.$secret) ?? UNKNOWN
  if (Array.isArray(value))
    return value.map((item: Json, i) => renderTree(item, options, [...path, i]))
  if (!isObject(value) || value instanceof Secret) return value
  return mapValues(value, (item, key) => renderTree(item, options, [...path, key]))
}

function early(path: Path, render: () => unknown, source?: TreeFault['source']): unknown {
  try {
    return render()
  } catch (error) {
    if (error instanceof NotKnown) return UNKNOWN
    if (error instanceof Fault) throw new TreeFault(path, error, source)
    throw error
  }
}

/** Paths of what is not known yet. */
export function unknownPaths(value: unknown, path: Path = []): readonly Path[] {
  if (value === UNKNOWN) return [path]
  if (value instanceof Secret || typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) =>
    unknownPaths(item, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}
