import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { Place } from '../core/place.ts'
import { resolvePath } from './paths.ts'
import { IMPORT_SCHEMA, PLAY_SCHEMA } from './playbook_schema.ts'
import { Problems } from './problems.ts'
import { checkSchema } from './schema_check.ts'
import type { SecretSource } from './secret_source.ts'
import { readTask, wordsOf, type Inherited, type TaskSource } from './task_source.ts'
import { YamlFile, type Path } from './yaml_file.ts'

/** Files of the controller, as a port: this folder opens nothing. */
export interface Files {
  read(path: string): string | undefined
  digest(path: string): { readonly sha256: string; readonly size: number } | undefined
}

/** A playbook with its imports followed; modules, names and expressions are not judged yet. */
export interface Playbook {
  readonly file: string
  readonly plays: readonly PlaySource[]
  readonly secrets: ReadonlyMap<string, SecretSource>
}

export interface PlaySource {
  readonly name: string
  readonly hosts: string
  readonly hostsPlace: Place
  readonly rolling: boolean
  readonly gate: readonly TaskSource[]
  readonly tasks: readonly TaskSource[]
  readonly handlers: readonly TaskSource[]
  readonly place: Place
}

/** Imports within imports; a playbook this deep is a mistake. */
const DEEPEST_IMPORT = 16

/**
 * Reads a playbook and what it imports.
 *
 * @throws Refusals with every problem found
 */
export function parsePlaybook(file: string, files: Files): Playbook {
  const problems = new Problems()
  const reader = new PlaybookReader(files, problems)
  const start = { file, line: 1, column: 1 }
  const plays = reader.plays(file, start, { vars: [], whens: [], tags: [] })
  problems.throwIfAny()
  return { file, plays, secrets: reader.secrets }
}

/** A playbook of one text: for ad hoc runs, and tests. */
export function parsePlaybookText(text: string, file: string, files: Files): Playbook {
  return parsePlaybook(file, {
    read: (path) => (path === file ? text : files.read(path)),
    digest: (path) => files.digest(path),
  })
}

class PlaybookReader {
  readonly secrets = new Map<string, SecretSource>()
  readonly #files: Files
  readonly #problems: Problems
  /** Files being read, outermost first: one that comes again is a cycle. */
  readonly #stack: string[] = []

  constructor(files: Files, problems: Problems) {
    this.#files = files
    this.#problems = problems
  }

  plays(file: string, from: Place, inherited: Inherited): readonly PlaySource[] {
    return this.#within(file, from, (yaml) => {
      const { value } = yaml
      if (Array.isArray(value))
        return value.flatMap((play, i) => this.#playOrImport(yaml, play as Json, i, inherited))
      this.#problems.add('E_PLAYBOOK', 'a playbook is a list of plays', yaml.place([]))
      return []
    })
  }

  #playOrImport(
    yaml: YamlFile,
    value: Json,
    index: number,
    inherited: Inherited,
  ): readonly PlaySource[] {
    const path = [index]
    if (isObject(value) && 'import' in value) {
      const target = this.#import(yaml, value, path, inherited)
      return target === undefined ? [] : this.plays(target.file, target.place, target.inherited)
    }
    const play = this.#play(yaml, value, path, inherited)
    return play === undefined ? [] : [play]
  }

  #play(yaml: YamlFile, value: Json, path: Path, inherited: Inherited): PlaySource | undefined {
    const checked = this.#checked(yaml, PLAY_SCHEMA, value, path)
    if (checked === undefined) return undefined
    const { name = 'unnamed play', hosts, rolling } = checked
    const own: Inherited = {
      // What an import sets is above what the imported file sets itself.
      vars: [...varsAt(yaml, checked, path), ...inherited.vars],
      whens: inherited.whens,
      tags: [...inherited.tags, ...wordsOf(checked['tags'])],
    }
    const list = (key: string) =>
      this.#tasks(yaml, (checked[key] ?? []) as readonly Json[], [...path, key], own)
    if (checked['gate'] !== undefined && rolling !== true)
      this.#problems.add(
        'E_PLAYBOOK',
        'gate is read in a rolling play only',
        yaml.keyPlace([...path, 'gate']),
        'Add `rolling: true` to the play.',
      )
    return {
      name: name as string,
      hosts: hosts as string,
      hostsPlace: yaml.place([...path, 'hosts']),
      rolling: rolling as boolean,
      gate: list('gate'),
      tasks: list('tasks'),
      handlers: list('handlers'),
      place: yaml.place(path),
    }
  }

  #tasks(
    yaml: YamlFile,
    values: readonly Json[],
    path: Path,
    inherited: Inherited,
  ): readonly TaskSource[] {
    return values.flatMap((value, i) => {
      const at = [...path, i]
      if (isObject(value) && 'import' in value) {
        const target = this.#import(yaml, value, at, inherited)
        return target === undefined ? [] : this.#importedTasks(target)
      }
      const task = readTask(yaml, value, at, { inherited, problems: this.#problems })
      return task === undefined ? [] : [task]
    })
  }

  #importedTasks({ file, place, inherited }: Target): readonly TaskSource[] {
    return this.#within(file, place, (yaml) => {
      const { value } = yaml
      if (Array.isArray(value)) return this.#tasks(yaml, value as readonly Json[], [], inherited)
      this.#problems.add('E_PLAYBOOK', 'an imported file is a list of tasks', yaml.place([]))
      return []
    })
  }

  #import(yaml: YamlFile, value: JsonObject, path: Path, inherited: Inherited): Target | undefined {
    const checked = this.#checked(yaml, IMPORT_SCHEMA, value, path)
    if (checked === undefined) return undefined
    const { when } = checked
    const whens =
      when === undefined
        ? []
        : [
            {
              text: typeof when === 'string' ? when : JSON.stringify(when),
              yaml,
              path: [...path, 'when'],
            },
          ]
    return {
      file: resolvePath(yaml.file, checked['import'] as string),
      place: yaml.place([...path, 'import']),
      inherited: {
        vars: [...varsAt(yaml, checked, path), ...inherited.vars],
        whens: [...inherited.whens, ...whens],
        tags: [...inherited.tags, ...wordsOf(checked['tags'])],
      },
    }
  }

  #checked(yaml: YamlFile, schema: JsonObject, value: Json, path: Path): JsonObject | undefined {
    const before = this.#problems.count
    const checked = checkSchema(schema, value, path, (misfit) => {
      const place = misfit.key ? yaml.keyPlace(misfit.path) : yaml.place(misfit.path)
      this.#problems.add('E_PLAYBOOK', misfit.message, place, misfit.hint)
    })
    return this.#problems.count > before ? undefined : (checked as JsonObject)
  }

  #within<T>(file: string, from: Place, act: (yaml: YamlFile) => readonly T[]): readonly T[] {
    const isCycle = this.#stack.includes(file)
    if (isCycle || this.#stack.length >= DEEPEST_IMPORT) {
      const message = isCycle
        ? `${file} imports itself: ${[...this.#stack, file].join(' → ')}`
        : `imports are nested more than ${DEEPEST_IMPORT} deep`
      this.#problems.add('E_PLAYBOOK', message, from)
      return []
    }
    const text = this.#files.read(file)
    if (text === undefined) {
      this.#problems.add('E_FILE', `there is no file ${file}`, from)
      return []
    }
    this.#stack.push(file)
    const yaml = this.#problems.collect(() => new YamlFile(text, file))
    const result = yaml === undefined ? [] : act(yaml)
    for (const [id, source] of yaml?.secrets ?? []) this.secrets.set(id, source)
    this.#stack.pop()
    return result
  }
}

interface Target {
  readonly file: string
  readonly place: Place
  readonly inherited: Inherited
}

function varsAt(yaml: YamlFile, value: JsonObject, path: Path): Inherited['vars'] {
  const vars = value['vars']
  if (!isObject(vars)) return []
  return [
    {
      level: 'playbook',
      vars: vars,
      placeOf: (name) => yaml.keyPlace([...path, 'vars', name]),
    },
  ]
}
