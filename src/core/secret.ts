/**
 * A value that must never be printed. Converting it to text, JSON or an inspection shows the mask;
 * only {@link reveal} gives the value, and only sinks call it: stdin, file content, SQL parameters.
 */
export class Secret {
  readonly #value: string
  /** Where the value comes from, for messages: `file:token.txt`, `env:SUDO_PASSWORD`. */
  readonly origin: string

  constructor(value: string, origin: string) {
    this.#value = value
    this.origin = origin
  }

  /** The value itself. A call of this is a sink: keep them few. */
  static reveal(text: string | Secret): string {
    return text instanceof Secret ? text.#value : text
  }

  toString(): string {
    return MASK
  }

  toJSON(): string {
    return MASK
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return MASK
  }
}

/** What stands in place of a secret wherever people or logs can see it. */
export const MASK = '********'

/** Text that may be tainted. */
export type Text = string | Secret

/** The value of a possibly tainted text. Only sinks may call it. */
export const reveal = (text: Text): string => Secret.reveal(text)

/**
 * Secrets shorter than this are not searched for in output: masking every "1" would hide the output
 * and tell the secret. The linter refuses them as secrets.
 * @unit characters
 */
export const SHORTEST_SECRET = 6

/**
 * The second line of defence: removes known secret values, and their base64, URL and JSON forms,
 * from text that is about to leave the process.
 */
export function redactor(secrets: Iterable<Secret>): (text: string) => string {
  const forms = new Set<string>()
  for (const secret of secrets) {
    const value = reveal(secret)
    // A multi-line secret (a key) also leaks line by line.
    for (const part of [value, ...value.split('\n')]) {
      const trimmed = part.trim()
      if (trimmed.length < SHORTEST_SECRET || trimmed.startsWith('-----')) continue
      forms.add(trimmed)
      forms.add(Buffer.from(trimmed).toString('base64').replace(/=+$/, ''))
      forms.add(encodeURIComponent(trimmed))
      forms.add(JSON.stringify(trimmed).slice(1, -1))
    }
  }
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length)
  return (text) => longestFirst.reduce((left, form) => left.replaceAll(form, MASK), text)
}

/** Fields that hold what hosts and commands said, whose own field names mean nothing to us. */
const FOREIGN = new Set(['result', 'item', 'facts'])

/**
 * Redacts the texts in plain data one by one, so that no secret can rewrite its shape. Fields named in
 * `words` stay as they are; in what is foreign nothing does, names of fields included.
 */
export function redactTexts(
  data: unknown,
  redact: (text: string) => string,
  words: ReadonlySet<string>,
): unknown {
  const within = (value: unknown, isForeign: boolean): unknown => {
    if (typeof value === 'string') return redact(value)
    if (value instanceof Secret) return MASK
    if (Array.isArray(value)) return value.map((element) => within(element, isForeign))
    if (typeof value !== 'object' || value === null) return value
    const fields = Object.entries(value).map(([name, field]) => {
      if (isForeign) return [redact(name), within(field, true)]
      return [name, words.has(name) ? field : within(field, FOREIGN.has(name))]
    })
    return Object.fromEntries(fields) as unknown
  }
  return within(data, false)
}
