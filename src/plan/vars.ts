import { TwonodeError } from '../core/errors.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Place } from '../core/place.ts'
import { parseDocument } from 'yaml'
import type { InventorySite, VarLevel } from './inventory.ts'
import type { Files, Playbook } from './playbook.ts'
import { YamlFile } from './yaml_file.ts'

/**
 * Variables of a host from all levels but the playbook's, the highest winning:
 * site defaults, site, host, command line.
 */
export function hostVars(
  levels: readonly VarLevel[],
  host: string,
  extra: readonly VarLevel[],
): JsonObject {
  return mergeVars([...levels, ...extra].filter((level) => isFor(level, host)))
}

/** Later levels win, name by name: a value is never merged from two of them. */
export function mergeVars(levels: readonly VarLevel[]): JsonObject {
  return Object.assign({}, ...levels.map(({ vars }) => vars)) as JsonObject
}

function isFor(level: VarLevel, host: string): boolean {
  return level.host === undefined || level.host === host
}

/** One definition of a variable, and whether it is the one that counts. */
export interface VarCandidate {
  readonly name: string
  readonly host: string
  readonly level: VarLevel['level']
  readonly value: Json
  readonly place: Place
  readonly wins: boolean
}

/**
 * Every definition of every variable, for `twonode vars`: by name, then host, the lowest level first.
 */
export function explainVars(
  site: InventorySite,
  playbook: Playbook | undefined,
  extra: readonly VarLevel[],
): readonly VarCandidate[] {
  const levels = [...playbookLevels(playbook), ...site.vars, ...extra]
  return site.hosts
    .flatMap(({ name }) =>
      candidatesOf(
        name,
        levels.filter((level) => isFor(level, name)),
      ),
    )
    .toSorted((a, b) => a.name.localeCompare(b.name) || a.host.localeCompare(b.host))
}

function candidatesOf(host: string, levels: readonly VarLevel[]): readonly VarCandidate[] {
  return levels.flatMap((at, i) =>
    Object.entries(at.vars).map(([name, value]) => {
      const above = levels.slice(i + 1)
      const wins = !above.some((other) => Object.hasOwn(other.vars, name))
      return { name, host, level: at.level, value, place: at.placeOf(name), wins }
    }),
  )
}

/** Each level of the playbook once, though all tasks of a play share it. */
function playbookLevels(playbook: Playbook | undefined): readonly VarLevel[] {
  const tasks = (playbook?.plays ?? []).flatMap((play) => [
    ...play.gate,
    ...play.tasks,
    ...play.handlers,
  ])
  return [...new Set(tasks.flatMap((task) => task.vars))]
}

/**
 * Variables of `-e NAME=VALUE` (read as a YAML scalar where that reads as it looks, else as text) and
 * `-e @FILE`; a later one wins.
 *
 * @throws TwonodeError (E_USAGE, E_FILE), Refusals (E_YAML)
 */
export function parseExtraVars(options: readonly string[], files: Files): readonly VarLevel[] {
  return options.map((option) =>
    option.startsWith('@') ? varsOfFile(option.slice(1), files) : varOfOption(option),
  )
}

function varOfOption(option: string): VarLevel {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(option)
  const [, name, text] = match ?? []
  if (name === undefined || text === undefined)
    throw new TwonodeError('E_USAGE', '-e takes NAME=VALUE or @FILE')
  return {
    level: 'command line',
    vars: { [name]: scalar(text) },
    placeOf: () => ({ file: '-e', line: 1, column: 1 }),
  }
}

/** `true` and `5432` are what they look like; `1.10` and `0644` stay text, whatever YAML says. */
function scalar(text: string): Json {
  const document = parseDocument(text, { logLevel: 'error', prettyErrors: false })
  const value: unknown = document.errors.length === 0 ? document.toJS() : text
  const reads = typeof value === 'boolean' || typeof value === 'number'
  return reads && String(value) === text ? value : text
}

function varsOfFile(path: string, files: Files): VarLevel {
  const text = files.read(path)
  if (text === undefined) throw new TwonodeError('E_FILE', `there is no file ${path}`)
  const yaml = new YamlFile(text, path)
  const { value } = yaml
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TwonodeError('E_YAML', 'a file of variables is a map', { place: yaml.place([]) })
  if (yaml.secrets.size > 0)
    throw new TwonodeError('E_YAML', '!secret belongs in the inventory or the playbook', {
      place: yaml.place([]),
    })
  return {
    level: 'command line',
    vars: value as JsonObject,
    placeOf: (name) => yaml.keyPlace([name]),
  }
}
