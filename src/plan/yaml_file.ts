import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node,
  type Pair,
  type Scalar,
} from 'yaml'
import type { Json, JsonObject } from '../core/json.ts'
import type { Place } from '../core/place.ts'
import { Problems } from './problems.ts'
import { sourceOffset } from './scalar_offset.ts'
import { readSecretSource, secretRef, type SecretSource } from './secret_source.ts'

/** A path into a YAML value: keys and indexes. */
export type Path = readonly (string | number)[]

/** Values after aliases are followed: more is a bomb, not a playbook. @unit values */
const MOST_VALUES = 100_000

/** Nesting deeper than this is a loop of aliases, or nothing a person wrote. */
const DEEPEST = 64

/** Keys that mean something in a compiled plan, and so can't be written by hand. */
const RESERVED_KEY = /^\$(secret|text|template)$/

const HINTS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'A key stands once in a map: remove one of the two.',
  TAB_AS_INDENT: 'Indent with spaces.',
  MISSING_CHAR: 'Text that holds [ ] { } , or : needs quotes.',
  BLOCK_AS_IMPLICIT_KEY: 'Text that holds a colon and a space needs quotes.',
  BAD_SCALAR_START: 'Text that begins with this character needs quotes.',
}

/** One YAML file, read: its value, and where each part of it stands. */
export class YamlFile {
  readonly file: string
  readonly value: Json
  readonly secrets: ReadonlyMap<string, SecretSource>
  readonly #document: Document | undefined
  readonly #text: string
  readonly #lines: LineCounter

  /** @throws Refusals (E_YAML) with all that can't be read, or reads otherwise than it looks. */
  constructor(text: string, file: string) {
    this.file = file
    this.#text = text
    this.#lines = new LineCounter()
    const problems = new Problems()
    this.#document = this.#parse(problems)
    problems.throwIfAny()
    const secrets = new Map<string, SecretSource>()
    const reader = new Reader(this.#document, problems, secrets, (offset) => this.#at(offset))
    this.value = reader.read(this.#document?.contents ?? null, 0)
    this.secrets = secrets
    problems.throwIfAny()
  }

  /** Where the value at `path` begins; of its nearest parent if there is no such value. */
  place(path: Path): Place {
    for (let length = path.length; length > 0; length--) {
      const node = this.#find(path.slice(0, length))?.value
      if (node?.range != null) return this.#at(node.range[0])
    }
    return this.#at(this.#document?.contents?.range?.[0] ?? 0)
  }

  /** Where the last key of `path` is written. */
  keyPlace(path: Path): Place {
    const key = this.#find(path)?.key
    return key?.range == null ? this.place(path) : this.#at(key.range[0])
  }

  /** Where character `at` of the text at `path` stands in the file, whatever the scalar's style. */
  within(path: Path, at: number): Place {
    const node = this.#find(path)?.value
    if (!isScalar(node) || typeof node.value !== 'string' || node.range == null)
      return this.place(path)
    const [start, end] = node.range
    const style = node.type ?? 'PLAIN'
    const source = this.#text.slice(start, end)
    return this.#at(start + sourceOffset(source, style, node.value, at))
  }

  #parse(problems: Problems): Document | undefined {
    const documents = parseAllDocuments(this.#text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      logLevel: 'error',
    }) as Document[]
    const [document, second] = documents
    // What follows a syntax error is read wrongly too: the first one is the one to mend.
    const errors = document?.errors ?? []
    const [syntax] = errors.filter(({ code }) => code !== 'DUPLICATE_KEY')
    for (const error of errors.filter((one) => one === syntax || one.code === 'DUPLICATE_KEY'))
      problems.add('E_YAML', error.message, this.#at(error.pos[0]), HINTS[error.code])
    if (second !== undefined && errors.length === 0)
      problems.add(
        'E_YAML',
        'a second document begins here; one file holds one',
        this.#at(second.contents?.range?.[0] ?? this.#text.length),
      )
    return document
  }

  #at(offset: number): Place {
    const { line, col } = this.#lines.linePos(Math.min(offset, this.#text.length))
    return { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  #find(path: Path): { key: Node | undefined; value: Node | undefined } | undefined {
    let value = this.#follow(this.#document?.contents)
    let key: Node | undefined
    for (const step of path) {
      if (isMap(value)) {
        const pair = value.items.find((item) => keyText(item) === String(step))
        if (pair === undefined) return undefined
        key = pair.key as Node
        value = this.#follow(pair.value)
      } else if (isSeq(value) && typeof step === 'number') {
        key = undefined
        value = this.#follow(value.items[step])
      } else return undefined
    }
    return { key, value }
  }

  #follow(node: unknown): Node | undefined {
    if (isAlias(node))
      return this.#document === undefined ? undefined : node.resolve(this.#document)
    return (node ?? undefined) as Node | undefined
  }
}

function keyText({ key }: Pair): string | undefined {
  return isScalar(key) ? String(key.value) : undefined
}

/** Turns the tree into plain data, refusing what YAML would read otherwise than it looks. */
class Reader {
  readonly #document: Document | undefined
  readonly #problems: Problems
  readonly #secrets: Map<string, SecretSource>
  readonly #at: (offset: number) => Place
  #values = 0

  constructor(
    document: Document | undefined,
    problems: Problems,
    secrets: Map<string, SecretSource>,
    at: (offset: number) => Place,
  ) {
    this.#document = document
    this.#problems = problems
    this.#secrets = secrets
    this.#at = at
  }

  read(node: unknown, depth: number): Json {
    this.#values++
    if (this.#values > MOST_VALUES || depth > DEEPEST) {
      if (this.#values < Infinity)
        this.#refuse(node, 'more values than a file may hold: an alias that contains itself?')
      this.#values = Infinity
      return null
    }
    if (isAlias(node)) return this.#readAlias(node, depth)
    if (isScalar(node)) return this.#readScalar(node)
    if (isSeq(node))
      return this.#untagged(
        node,
        node.items.map((item) => this.read(item, depth + 1)),
      )
    if (!isMap(node)) return null
    if (node.tag === '!secret') return this.#readSecret(node, depth)
    return this.#untagged(node, this.#readMap(node.items, depth))
  }

  #readAlias(node: Node & { source: string; resolve: unknown }, depth: number): Json {
    const target =
      this.#document !== undefined && isAlias(node) ? node.resolve(this.#document) : undefined
    if (target !== undefined) return this.read(target, depth + 1)
    this.#refuse(node, `there is no anchor &${node.source} before this alias`)
    return null
  }

  #readScalar(node: Scalar): Json {
    if (node.tag === '!secret') return this.#readSecret(node, 0)
    const { value, source = '' } = node
    if (typeof value === 'bigint' || (typeof value === 'number' && String(value) !== source)) {
      this.#refuse(
        node,
        `YAML reads ${source} as ${String(value)}`,
        `Write it in quotes: "${source}".`,
      )
      return null
    }
    return this.#untagged(node, (value ?? null) as Json)
  }

  #readMap(items: readonly Pair[], depth: number): JsonObject {
    const entries: [string, Json][] = []
    for (const pair of items) {
      const key = this.#readKey(pair)
      if (key !== undefined) entries.push([key, this.read(pair.value, depth + 1)])
    }
    return Object.fromEntries(entries)
  }

  #readKey(pair: Pair): string | undefined {
    const { key } = pair
    const text = isPair(pair) ? keyText(pair) : undefined
    if (text === undefined) {
      const hint = isMap(key)
        ? 'A template at the start of a value needs quotes: "{{…}}".'
        : undefined
      this.#refuse(key, 'a key must be plain text', hint)
      return undefined
    }
    if (text === '<<') this.#refuse(key, 'merge keys (<<) are not part of YAML 1.2')
    else if (text === '__proto__' || RESERVED_KEY.test(text))
      this.#refuse(key, `the key ${text} is reserved`)
    else return text
    return undefined
  }

  #readSecret(node: Node & { tag?: string }, depth: number): Json {
    const value = isMap(node) ? this.#readMap(node.items, depth) : null
    const source = readSecretSource(value, this.#at(node.range?.[0] ?? 0))
    if (typeof source === 'string') {
      this.#refuse(node, source)
      return null
    }
    this.#secrets.set(source.id, source)
    return secretRef(source)
  }

  #untagged<T extends Json>(node: { tag?: string | undefined }, value: T): T {
    const { tag } = node
    if (tag !== undefined && !tag.startsWith('tag:yaml.org,2002:'))
      this.#refuse(node, `unknown tag ${tag}`, 'The only tag is !secret.')
    return value
  }

  #refuse(node: unknown, message: string, hint?: string): void {
    const range = (node as Node | null | undefined)?.range
    this.#problems.add('E_YAML', message, this.#at(range?.[0] ?? 0), hint)
  }
}
