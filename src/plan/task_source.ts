import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Place } from '../core/place.ts'
import type { VarLevel } from './inventory.ts'
import { TASK_PROPERTIES, TASK_SCHEMA } from './playbook_schema.ts'
import type { Problems } from './problems.ts'
import { checkSchema } from './schema_check.ts'
import { parseDuration } from './units.ts'
import type { Path, YamlFile } from './yaml_file.ts'

/** A text of a playbook that means something, and where it stands. */
export interface LocatedText {
  readonly text: string
  readonly yaml: YamlFile
  readonly path: Path
}

/** What a play, and each import around it, gives to its tasks. */
export interface Inherited {
  /** Lowest first. */
  readonly vars: readonly VarLevel[]
  readonly whens: readonly LocatedText[]
  readonly tags: readonly string[]
}

/** A task as written. */
export interface TaskSource {
  readonly yaml: YamlFile
  readonly path: Path
  readonly place: Place
  readonly name: string | undefined
  /** Keys that are no task keys: one of them should be a module. */
  readonly otherKeys: readonly string[]
  readonly value: JsonObject
  readonly vars: readonly VarLevel[]
  /** All must hold: those of the imports, then its own. */
  readonly whens: readonly LocatedText[]
  readonly loop: Json | undefined
  readonly register: string | undefined
  readonly notify: readonly string[]
  readonly tags: readonly string[]
  readonly until: LocatedText | undefined
  readonly retries: number
  readonly delayMs: number
  readonly timeoutMs: number
}

/** As in Ansible: a task that waits for something tries three times more unless it says otherwise. */
const RETRIES_WITH_UNTIL = 3

/** Reads one task; undefined if its own keys are wrong, which `problems` then tells. */
export function readTask(
  yaml: YamlFile,
  value: Json,
  path: Path,
  { inherited, problems }: { readonly inherited: Inherited; readonly problems: Problems },
): TaskSource | undefined {
  const before = problems.count
  const checked = checkSchema(TASK_SCHEMA, value, path, ({ path: at, message, hint }) =>
    problems.add('E_PLAYBOOK', message, yaml.place(at), hint),
  )
  if (problems.count > before || !isObject(checked)) return undefined
  const task = checked
  const located = (key: string): LocatedText[] =>
    task[key] === undefined ? [] : [{ text: textOf(task[key]), yaml, path: [...path, key] }]
  const [until] = located('until')
  const { name, register, retries, loop } = task
  return {
    yaml,
    path,
    place: yaml.place(path),
    name: name as string | undefined,
    otherKeys: Object.keys(task).filter((key) => !Object.hasOwn(TASK_PROPERTIES, key)),
    value: task,
    vars: inherited.vars,
    whens: [...inherited.whens, ...located('when')],
    loop,
    register: register as string | undefined,
    notify: wordsOf(task['notify']),
    tags: [...new Set([...inherited.tags, ...wordsOf(task['tags'])])],
    until,
    retries: (retries as number | undefined) ?? (until === undefined ? 0 : RETRIES_WITH_UNTIL),
    delayMs: parseDuration(textOf(task['delay'])) ?? 0,
    timeoutMs: parseDuration(textOf(task['timeout'])) ?? 0,
  }
}

/** `notify: one` and `notify: [one]` are the same. */
export function wordsOf(value: Json | undefined): readonly string[] {
  if (value === undefined) return []
  return Array.isArray(value) ? (value as readonly string[]) : [textOf(value)]
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
