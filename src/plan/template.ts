import { parse } from 'handlebars/dist/cjs/handlebars/compiler/base.js'
import { messageOf } from '../core/errors.ts'
import { Fault } from './fault.ts'

/** A parsed template: the few nodes that we allow, with offsets into its text. */
export interface Template {
  readonly text: string
  readonly body: readonly TemplateNode[]
  /** It is one `{{name}}` and nothing else: its value keeps its type. */
  readonly whole: Reference | undefined
}

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly of: Reference }
  | Block

export interface Block {
  readonly kind: 'if' | 'unless' | 'each' | 'with'
  readonly of: Reference
  readonly params: readonly string[]
  readonly body: readonly TemplateNode[]
  readonly otherwise: readonly TemplateNode[]
}

/** A name as written: `vars.port`, `../name`, `@index`, `this`. */
export interface Reference {
  /** `@index` and its kind. */
  readonly data: boolean
  /** How many `../`. */
  readonly depth: number
  readonly parts: readonly string[]
  /** `this.x` and `./x` name the context even where a block parameter has the name. */
  readonly scoped: boolean
  readonly original: string
  readonly at: number
}

/** What `@…` may name. */
const DATA_NAMES = ['root', 'index', 'key', 'first', 'last']

const BLOCKS = ['if', 'unless', 'each', 'with'] as const

/** Templates are few and rendered for each host and item: remembered by text. */
const remembered = new Map<string, Template>()
const MOST_REMEMBERED = 2_000

/** True if the text can hold a template at all. */
export function isTemplate(text: string): boolean {
  return text.includes('{{')
}

/**
 * Parses a template.
 *
 * @throws Fault (E_TEMPLATE) if it can't be parsed, or uses more than names, if, unless, each, with
 */
export function parseTemplate(text: string): Template {
  const known = remembered.get(text)
  if (known !== undefined) return known
  const body = new Converter(text).nodes(parseTree(text).body)
  const [only, ...rest] = body
  const whole = only?.kind === 'value' && rest.length === 0 ? only.of : undefined
  const template = { text, body, whole }
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.set(text, template)
  return template
}

function parseTree(text: string): hbs.AST.Program {
  try {
    return parse(text)
  } catch (error) {
    throw parseFault(text, messageOf(error))
  }
}

/**
 * Handlebars' words have a line and, as a picture, what stands before the error. The offset is where
 * drawing that picture again gives the same picture.
 */
function parseFault(text: string, message: string): Fault {
  const picture = /^(?:Parse|Lexical) error on line (\d+)[^\n]*\n([^\n]*)\n(-*)\^/.exec(message)
  if (picture !== null) {
    const [, line = '1', shown = '', dashes = ''] = picture
    const at = offsetOfPicture(text, Number(line), shown.slice(0, dashes.length))
    return new Fault('E_TEMPLATE', 'the template can not be parsed here', at)
  }
  const mismatch = /^(.*) - (\d+):(\d+)$/.exec(message)
  if (mismatch !== null) {
    const [, words = '', line = '1', column = '0'] = mismatch
    return new Fault(
      'E_TEMPLATE',
      words,
      (lineStarts(text)[Number(line) - 1] ?? 0) + Number(column),
    )
  }
  return new Fault(
    'E_TEMPLATE',
    'a block of the template is empty',
    Math.max(text.indexOf('{{#'), 0),
  )
}

function offsetOfPicture(text: string, line: number, before: string): number {
  const starts = lineStarts(text)
  const start = starts[line - 1] ?? 0
  const draw = (at: number) => {
    const past = text.slice(Math.max(at - 20, 0), at).replaceAll('\n', '')
    return `${at > 20 ? '...' : ''}${past}`
  }
  for (let at = start; at <= text.length; at++) if (draw(at) === before) return at
  return start
}

function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

class Converter {
  readonly #starts: readonly number[]

  constructor(text: string) {
    this.#starts = lineStarts(text)
  }

  nodes(statements: readonly hbs.AST.Statement[]): readonly TemplateNode[] {
    return statements.flatMap((statement) => this.#node(statement) ?? [])
  }

  #node(statement: hbs.AST.Statement): TemplateNode | undefined {
    switch (statement.type) {
      case 'ContentStatement': {
        const text = (statement as hbs.AST.ContentStatement).value
        return text === '' ? undefined : { kind: 'text', text }
      }
      case 'CommentStatement':
        return undefined
      case 'MustacheStatement':
        return { kind: 'value', of: this.#value(statement as hbs.AST.MustacheStatement) }
      case 'BlockStatement':
        return this.#block(statement as hbs.AST.BlockStatement)
      default:
        throw this.#fault(`templates have no ${WORDS[statement.type] ?? statement.type}`, statement)
    }
  }

  #value({ path, params, hash }: hbs.AST.MustacheStatement): Reference {
    if (path.type !== 'PathExpression') throw this.#fault('templates have no literals', path)
    if (params.length > 0 || hash !== undefined)
      throw this.#fault(
        `${(path as hbs.AST.PathExpression).original} is no helper: templates have none`,
        path,
      )
    return this.#reference(path as hbs.AST.PathExpression)
  }

  #block(block: hbs.AST.BlockStatement): Block {
    const { path, params, hash, program, inverse } = block
    const kind = BLOCKS.find((name) => name === path.original)
    if (kind === undefined) throw this.#fault(`there is no block {{#${path.original}}}`, path)
    const [of, ...rest] = params
    if (of === undefined || rest.length > 0 || hash !== undefined)
      throw this.#fault(`{{#${kind}}} takes one name`, path)
    if (of.type !== 'PathExpression')
      throw this.#fault(`{{#${kind}}} takes a name, nothing else`, of)
    return {
      kind,
      of: this.#reference(of as hbs.AST.PathExpression),
      params: program?.blockParams ?? [],
      body: this.nodes(program?.body ?? []),
      otherwise: this.nodes(inverse?.body ?? []),
    }
  }

  #reference(path: hbs.AST.PathExpression): Reference {
    const { data, depth, parts, original } = path
    if (data && !DATA_NAMES.includes(parts[0] ?? ''))
      throw this.#fault(
        `there is no ${original}`,
        path,
        `Known: ${DATA_NAMES.map((n) => `@${n}`).join(', ')}.`,
      )
    const scoped = /^(\.|this\b)/.test(original)
    return { data, depth, parts, scoped, original, at: this.#offset(path) }
  }

  #offset({ loc }: hbs.AST.Node): number {
    return (this.#starts[loc.start.line - 1] ?? 0) + loc.start.column
  }

  #fault(message: string, node: hbs.AST.Node, hint?: string): Fault {
    return new Fault('E_TEMPLATE', message, this.#offset(node), hint)
  }
}

const WORDS: Readonly<Record<string, string>> = {
  PartialStatement: 'partials',
  PartialBlockStatement: 'partials',
  Decorator: 'decorators',
  DecoratorBlock: 'decorators',
}
