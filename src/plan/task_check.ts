import type { AnyModule } from '../core/module.ts'
import type { Json } from '../core/json.ts'
import type { Place } from '../core/place.ts'
import { runsOnlyWhenAsked } from '../core/plan.ts'
import { parseExpression, checkExpression, evaluateEarly } from './expression.ts'
import { Fault } from './fault.ts'
import type { TaskContext, View } from './compile_task.ts'
import type { Embedded } from './file_args.ts'
import { PLACEHOLDER, validateKnown } from './known_args.ts'
import { earlyNames } from './names.ts'
import { celPaths, placeInText, schemaAt, stepNames } from './step_context.ts'
import type { LocatedText, TaskSource } from './task_source.ts'
import { isTemplate, parseTemplate } from './template.ts'
import { checkTemplate } from './template_check.ts'
import { renderTree, TreeFault } from './tree.ts'
import { isFileTemplate, isFileText, typeName, UNKNOWN, type Names } from './values.ts'
import { mergeVars } from './vars.ts'
import { VarFault } from './vars_resolve.ts'
import type { Path } from './yaml_file.ts'

/** Judges one task on each host and in each role that it can run in, as far as values are known. */
export class TaskCheck {
  readonly #task: TaskSource
  readonly #module: AnyModule
  readonly #context: TaskContext
  /** By view: the names of each turn (one for a task without a loop); none if it never runs. */
  readonly #turns: readonly { readonly view: View; readonly turns: readonly Names[] }[]

  constructor(task: TaskSource, module: AnyModule, context: TaskContext) {
    this.#task = task
    this.#module = module
    this.#context = context
    this.#turns = context.views.map((view) => ({ view, turns: this.#turnsOf(view) }))
  }

  /** Checks condition, loop, arguments and `until`, and claims what the task owns. */
  run(embedded: Embedded): void {
    for (const { view, turns } of this.#turns)
      for (const names of turns) {
        this.#checkUntil(names)
        this.#checkArgs(embedded, view, names)
      }
  }

  /** What a part of the args is on each host that the task can run on, and for each item. */
  renderEverywhere(value: Json, path: Path): readonly unknown[] {
    const { secrets } = this.#context
    return this.#turns.flatMap(({ turns }) =>
      turns.flatMap((names) => {
        const rendered = this.#guard([], () => renderTree(value, { names, secrets }, path))
        return rendered === undefined ? [] : [rendered]
      }),
    )
  }

  /** Adds a problem with one of the arguments as a whole; `elsewhere`: where its value is from. */
  refuseValue({ kind, message, hint }: Fault, path: Path, elsewhere?: Place): void {
    const { yaml, path: at } = this.#task
    const place = elsewhere ?? yaml.place([...at, this.#module.name, ...path])
    this.#context.problems.add(kind, message, place, hint)
  }

  /** Adds a problem at a character of one of the arguments. */
  refuse(fault: Fault, path: Path): void {
    const { yaml, path: at } = this.#task
    this.#add(fault, { text: '', yaml, path: [...at, this.#module.name, ...path] })
  }

  #add(fault: Fault, { yaml, path }: LocatedText): void {
    const { kind, message, hint } = fault
    const place = fault instanceof VarFault ? this.#varPlace(fault) : yaml.within(path, fault.at)
    this.#context.problems.add(kind, message, place, hint)
  }

  #varPlace({ variable }: VarFault) {
    const levels = [...this.#task.vars, ...this.#context.varLevels]
    const level = levels.findLast(({ vars }) => Object.hasOwn(vars, variable))
    return level?.placeOf(variable) ?? this.#task.place
  }

  #turnsOf(view: View): readonly Names[] {
    const names = this.#namesFor(view)
    if (names === undefined) return []
    const items = this.#items(names)
    const turns = items === undefined ? [names] : items.map((item) => ({ ...names, item }))
    return turns.filter((turn) => this.#mayRun(turn))
  }

  #namesFor({ host, role }: View): Names | undefined {
    const { site, vars, secrets, registers } = this.#context
    const early = earlyNames({ site, host, vars, role })
    const registered = Object.fromEntries(registers.map((name) => [name, UNKNOWN]))
    const playVars = mergeVars(this.#task.vars)
    return this.#guard([], () => ({ ...stepNames(early, playVars, secrets), ...registered }))
  }

  /** Undefined: no loop. A list that only the host knows has one item, not known. */
  #items(names: Names): readonly unknown[] | undefined {
    const { loop, yaml, path } = this.#task
    if (loop === undefined) return undefined
    const at = { text: '', yaml, path: [...path, 'loop'] }
    this.#checkTree(loop, names, (fault, inLoop) =>
      this.#add(fault, { ...at, path: [...at.path, ...inLoop] }),
    )
    const { secrets } = this.#context
    const items = this.#guardAt(at, () => renderTree(loop, { names, secrets }))
    if (items === UNKNOWN || items === undefined) return [UNKNOWN]
    if (Array.isArray(items)) return items
    this.#add(new Fault('E_PLAYBOOK', `loop is ${typeName(items)}, not a list`, 0), at)
    return []
  }

  #mayRun(names: Names): boolean {
    const values = this.#task.whens.map((when) =>
      this.#guardAt(when, () => {
        const expression = parseExpression(when.text, Object.keys(names))
        checkExpression(expression, names, (fault) => this.#add(fault, when))
        const value = evaluateEarly(expression, names)
        if (value !== UNKNOWN && typeof value !== 'boolean')
          throw new Fault('E_EXPRESSION', `when is ${typeName(value)}, not true or false`, 0)
        return value
      }),
    )
    return !values.includes(false)
  }

  #checkUntil(names: Names): void {
    const { until, register } = this.#task
    if (until === undefined) return
    const own = register === undefined ? {} : { [register]: UNKNOWN }
    this.#checkCel(until, { ...names, ...own })
  }

  #checkCel(located: LocatedText, names: Names): void {
    this.#guardAt(located, () => {
      const expression = parseExpression(located.text, Object.keys(names))
      checkExpression(expression, names, (fault) => this.#add(fault, located))
    })
  }

  #checkArgs({ args, origins }: Embedded, view: View, names: Names): void {
    const { problems, secrets, validate } = this.#context
    const { schema } = this.#module
    const before = problems.count
    const original = (path: Path) => [
      origins.get(String(path[0])) ?? path[0] ?? '',
      ...path.slice(1),
    ]
    this.#checkTree(args, names, (fault, path) => this.refuse(fault, path))
    if (problems.count > before) return
    const isRaw = celPaths(schema)
    const rendered = this.#guard([], () => renderTree(args, { names, secrets, isRaw }))
    if (rendered === undefined) return
    const { problems: found, filled } = validateKnown(this.#module.name, rendered, {
      schema,
      validate,
    })
    for (const { path, message, hint, unknownKey } of found) {
      const { yaml, path: start } = this.#task
      const full = [...start, this.#module.name, ...(path.length === 0 ? [] : original(path))]
      const place = unknownKey ? yaml.keyPlace(full) : yaml.place(full)
      problems.add(
        'E_ARGUMENT',
        path.length === 0 ? message : `${path.join('.')}: ${message}`,
        place,
        hint,
      )
    }
    if (found.length === 0) this.#claim(filled, view)
  }

  #claim(args: unknown, { host, role }: View): void {
    const { owns, ownership } = this.#context
    const { name = this.#module.name, whens, place, tags } = this.#task
    if (!owns || whens.length > 0 || runsOnlyWhenAsked({ tags })) return
    for (const key of this.#keys(args))
      if (!key.includes(PLACEHOLDER)) ownership.claim({ key, host, role, task: name, place })
  }

  /** Args with placeholders are not always what a module's own code expects. */
  #keys(args: unknown): readonly string[] {
    try {
      return this.#module.key(args)
    } catch {
      return []
    }
  }

  /** Looks up all names in a tree's texts; the report gets paths within the tree. */
  #checkTree(
    value: Json,
    names: Names,
    report: (fault: Fault, path: Path) => void,
    path: Path = [],
  ): void {
    if (typeof value === 'string') return this.#checkText(value, names, report, path)
    if (isFileText(value)) return
    if (isFileTemplate(value)) return this.#checkFile(value.$template, value.file, names)
    if (typeof value !== 'object' || value === null) return
    for (const [key, item] of Object.entries(value as Readonly<Record<string, Json>>))
      this.#checkTree(item, names, report, [...path, Array.isArray(value) ? Number(key) : key])
  }

  #checkText(
    text: string,
    names: Names,
    report: (fault: Fault, path: Path) => void,
    path: Path,
  ): void {
    const schema = schemaAt(this.#module.schema, path)
    try {
      if (schema['x-cel'] === true) {
        const more = Object.fromEntries(celNames(schema).map((name) => [name, UNKNOWN]))
        const all = { ...names, ...more }
        checkExpression(parseExpression(text, Object.keys(all)), all, (fault) =>
          report(fault, path),
        )
      } else if (isTemplate(text))
        checkTemplate(parseTemplate(text), names, (fault) => report(fault, path))
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      report(error, path)
    }
  }

  #checkFile(text: string, file: string, names: Names): void {
    const report = ({ kind, message, at, hint }: Fault) =>
      this.#context.problems.add(kind, message, placeInText(file, text, at), hint)
    try {
      checkTemplate(parseTemplate(text), names, report)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      report(error)
    }
  }

  /** Runs `act`; a fault in it becomes a problem at the argument that it is in. */
  #guard<T>(path: Path, act: () => T): T | undefined {
    const { yaml, path: at } = this.#task
    return this.#guardAt({ text: '', yaml, path: [...at, this.#module.name, ...path] }, act)
  }

  #guardAt<T>(at: LocatedText, act: () => T): T | undefined {
    try {
      return act()
    } catch (error) {
      if (error instanceof TreeFault && error.source === undefined)
        this.#add(error.fault, { ...at, path: [...at.path, ...error.path] })
      else if (error instanceof TreeFault) this.#addInFile(error)
      else if (error instanceof Fault) this.#add(error, at)
      else throw error
      return undefined
    }
  }

  #addInFile({ fault, source }: TreeFault): void {
    const { kind, message, hint, at } = fault
    const place = placeInText(source?.file ?? '', source?.text ?? '', at)
    this.#context.problems.add(kind, message, place, hint)
  }
}

function celNames(schema: Readonly<Record<string, unknown>>): readonly string[] {
  const names = schema['x-cel-names']
  return Array.isArray(names) ? (names as readonly string[]) : []
}
