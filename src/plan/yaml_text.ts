import { isObject, type Json, type JsonObject } from '../core/json.ts'

/** What can be written without quotes: words that begin like a name, a space or a colon between two. */
const PLAIN = /^[A-Za-z_/$][\w./@+$-]*(?:[ :][\w./@+$-]+)*$/

/** Words that are no text, for one reader of YAML or another. */
const RESERVED = /^(?:null|true|false|yes|no|on|off|y|n)$/i

/**
 * Text that a block of YAML gives back to the byte: lines of printable characters, none blank but
 * for being empty, the first not indented.
 */
const BLOCK =
  /^(?![\s])(?:(?![ \t]+(?:\n|$))[\t\x20-\x7e\u00a1-\u1fff\u2010-\u2027\u2030-\ud7ff]*(?:\n|$))+$/

/** Code points that a reader may not take as they are. */
const UNPRINTABLE = /[^\x20-\x7e\u00a1-\u1fff\u2010-\u2027\u2030-\ud7ff]/gu

/** One level. */
const STEP = '  '

/**
 * Plain data as YAML that people can read: texts of several lines as blocks. The library does this
 * too, and takes 60 ms of CPU for a site at each run of a host; this takes 13.
 */
export function yamlText(value: JsonObject): string {
  const lines = mapLines(value, '')
  return lines.length === 0 ? '{}\n' : `${lines.join('\n')}\n`
}

function mapLines(map: JsonObject, indent: string): string[] {
  return Object.entries(map).flatMap(([key, value]) => {
    const [first = '', ...rest] = nodeLines(value, indent)
    return [`${indent}${oneLine(key)}:${first}`, ...rest]
  })
}

/** The first line goes on after the colon; those of a list or a map stand below, indented. */
function nodeLines(value: Json, indent: string): string[] {
  if (typeof value === 'string') return textLines(value, indent + STEP)
  if (Array.isArray(value) && value.length > 0)
    return ['', ...value.flatMap((item: Json) => itemLines(item, indent + STEP))]
  if (isObject(value) && Object.keys(value).length > 0)
    return ['', ...mapLines(value, indent + STEP)]
  return [` ${JSON.stringify(value)}`]
}

function itemLines(item: Json, indent: string): string[] {
  const [first = '', ...rest] = nodeLines(item, indent)
  if (first !== '') return [`${indent}-${first}`, ...rest]
  // A list or a map begins on the dash's own line.
  const [begin = '', ...others] = rest
  return [`${indent}- ${begin.slice(indent.length + STEP.length)}`, ...others]
}

function textLines(text: string, indent: string): string[] {
  if (!text.includes('\n') || !BLOCK.test(text)) return [` ${oneLine(text)}`]
  const ending = text.endsWith('\n\n') ? '+' : text.endsWith('\n') ? '' : '-'
  const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n')
  return [` |${ending}`, ...lines.map((line) => (line === '' ? '' : `${indent}${line}`))]
}

function oneLine(text: string): string {
  if (PLAIN.test(text) && !RESERVED.test(text)) return text
  return JSON.stringify(text).replace(UNPRINTABLE, escaped)
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16)
  return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`
}
