import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Schema } from '../core/module.ts'
import type { Place } from '../core/place.ts'
import { Fault } from './fault.ts'
import { baseName, resolvePath } from './paths.ts'
import type { BinaryPath } from './inventory.ts'
import type { Files } from './playbook.ts'
import { UNKNOWN } from './values.ts'
import type { Path } from './yaml_file.ts'

/** A file that travels beside the plan, by its sha256. */
export interface Blob {
  readonly path: string
  readonly size: number
  readonly name: string
}

/** An argument that names a file on this machine. */
interface FileArg {
  readonly path: Path
  readonly kind: 'text' | 'blob'
}

/** Schemas nest files no deeper than this: `source.path`. */
const DEEPEST_FILE = 3

/** Args of a module that name files here, by its schema. */
function fileArgsOf(schema: Schema, path: Path = []): readonly FileArg[] {
  const { properties } = schema
  if (!isObject(properties) || path.length > DEEPEST_FILE) return []
  return Object.entries(properties as Readonly<Record<string, Schema>>).flatMap(([key, own]) => {
    const kind = own['x-file']
    const at = [...path, key]
    return kind === 'text' || kind === 'blob' ? [{ path: at, kind }] : fileArgsOf(own, at)
  })
}

export interface EmbedOptions {
  readonly files: Files
  /** The file that names the others: relative paths start beside it. */
  readonly from: string
  /** Paths that are not relative to it: the inventory's own, which start where it starts. */
  readonly anchored: readonly BinaryPath[]
  /** Renders a part of the args; every host must give the same. */
  readonly render: (value: Json, path: Path) => unknown
  /** At `place`, or where the arg at `path` stands. */
  readonly refuse: (fault: Fault, path: Path, place?: Place) => void
  readonly addBlob: (sha256: string, blob: Blob) => void
}

/** Args in which the files' texts and checksums stand in place of their paths. */
export interface Embedded {
  readonly args: JsonObject
  /** For errors: by new argument, the one that it came from. */
  readonly origins: ReadonlyMap<string, string>
}

/** Puts in place of each file argument what the host needs of that file. */
export function embedFiles(args: JsonObject, schema: Schema, options: EmbedOptions): Embedded {
  const origins = new Map<string, string>()
  let embedded = args
  for (const { path, kind } of fileArgsOf(schema)) {
    const [key = ''] = path as readonly string[]
    const raw = embedded[key]
    if (raw === undefined) continue
    const value = options.render(raw, [key])
    if (value === UNKNOWN || value === undefined) continue
    const name = at(value, path.slice(1))
    if (kind === 'text' && typeof name === 'string') {
      embedded = embedText(embedded, { key: key, name }, options)
      origins.set('content', key)
    } else if (kind === 'blob')
      embedded = { ...embedded, [key]: embedBlob(value as Json, path, { args, options }) }
  }
  return { args: embedded, origins }
}

function embedText(
  args: JsonObject,
  { key, name }: { readonly key: string; readonly name: string },
  { files, from, refuse }: EmbedOptions,
): JsonObject {
  const { [key]: _, ...rest } = args
  const file = resolvePath(from, name)
  const text = files.read(file)
  if (args['content'] !== undefined)
    refuse(new Fault('E_ARGUMENT', `give one of content and ${key}`, 0), [key])
  if (text === undefined) refuse(new Fault('E_FILE', `there is no file ${file}`, 0), [key])
  if (text === undefined) return { ...rest, content: '' }
  const content: JsonObject = key === 'template' ? { $template: text, file } : { $text: text }
  return { ...rest, content }
}

/** `{path}` becomes `{blob, sha256}`; anything else (a URL) stays as it was rendered. */
function embedBlob(
  value: Json,
  path: Path,
  { args, options }: { readonly args: JsonObject; readonly options: EmbedOptions },
): Json {
  const { files, from, anchored, refuse, addBlob } = options
  if (isObject(value) && Object.keys(value).length === 0)
    refuse(
      new Fault('E_ARGUMENT', 'names no file', 0, 'Give `path` or `url` in the inventory.'),
      path.slice(0, -1),
    )
  const holder = at(value, path.slice(1, -1))
  const key = String(path.at(-1))
  if (!isObject(holder) || typeof holder[key] !== 'string') return value
  const inInventory = anchored.find((one) => one.path === holder[key])
  const file = inInventory?.path ?? resolvePath(from, holder[key])
  const digest = files.digest(file)
  if (digest === undefined) {
    const who = inInventory === undefined ? '' : `${inInventory.key}: `
    refuse(new Fault('E_FILE', `${who}there is no file ${file}`, 0), path, inInventory?.place)
    return value
  }
  const { sha256, size } = digest
  for (const [given, where] of [
    [holder['sha256'], [...path.slice(0, -1), 'sha256']],
    [args['sha256'], ['sha256']],
  ] as const)
    if (typeof given === 'string' && /^[0-9a-f]{64}$/.test(given) && given !== sha256)
      refuse(new Fault('E_ARGUMENT', `${file} has another sha256: ${sha256}`, 0), where)
  const name = baseName(file)
  addBlob(sha256, { path: file, size, name })
  const { [key]: _, ...rest } = holder as JsonObject
  return put(value, path.slice(1, -1), { ...rest, blob: name, sha256 })
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, step) => (isObject(here) ? here[String(step)] : undefined),
    value,
  )
}

function put(value: Json, path: Path, part: Json): Json {
  const [key, ...rest] = path
  if (key === undefined || !isObject(value)) return part
  const object = value
  return { ...object, [key]: put(object[String(key)] ?? null, rest, part) }
}
