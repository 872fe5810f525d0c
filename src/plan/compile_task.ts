import type { AnyModule, Registry, Validate } from '../core/module.ts'
import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { PlanStep } from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'
import type { Role, Site } from '../core/site.ts'
import { Fault } from './fault.ts'
import { embedFiles, type Blob, type Embedded } from './file_args.ts'
import type { BinaryPath, VarLevel } from './inventory.ts'
import { RESERVED_NAMES } from './names.ts'
import { didYouMean } from './nearest.ts'
import type { Ownership } from './ownership.ts'
import type { Files } from './playbook.ts'
import { TASK_PROPERTIES } from './playbook_schema.ts'
import type { Problems } from './problems.ts'
import { celPaths } from './step_context.ts'
import { stepReferences } from './step_references.ts'
import { TaskCheck } from './task_check.ts'
import { isTemplate } from './template.ts'
import type { TaskSource } from './task_source.ts'
import { texts, UNKNOWN } from './values.ts'
import { mergeVars } from './vars.ts'

/** One host and role in which a task can run. */
export interface View {
  readonly host: string
  readonly role: Role | undefined
}

/** What a task is compiled with. */
export interface TaskContext {
  readonly id: string
  /** False for handlers and gates: they act on what other tasks own. */
  readonly owns: boolean
  readonly views: readonly View[]
  readonly site: Site
  /** By host, the playbook's not among them. */
  readonly vars: Readonly<Record<string, JsonObject>>
  readonly binaryPaths: readonly BinaryPath[]
  /** Where those variables are written. */
  readonly varLevels: readonly VarLevel[]
  readonly registry: Registry
  readonly validate: Validate
  readonly files: Files
  readonly secrets: ReadonlyMap<string, Secret>
  readonly problems: Problems
  readonly ownership: Ownership
  /** Names that earlier tasks register. */
  readonly registers: readonly string[]
  readonly handlers: readonly string[]
  readonly addBlob: (sha256: string, blob: Blob) => void
}

/** Compiles one task; undefined if it can't be, which `problems` then tells. */
export function compileTask(task: TaskSource, context: TaskContext): PlanStep | undefined {
  const { problems } = context
  const before = problems.count
  const module = moduleOf(task, context)
  checkWords(task, context)
  if (module === undefined) return undefined
  const args = argsOf(task, module.name, problems)
  if (args === undefined) return undefined
  const check = new TaskCheck(task, module, context)
  const embedded = embed(args, { task, module, context, check })
  check.run(embedded)
  if (problems.count > before) return undefined
  return toStep(task, module, { context, args: embedded.args })
}

function moduleOf(task: TaskSource, { registry, problems }: TaskContext): AnyModule | undefined {
  const { yaml, path, otherKeys, place } = task
  const modules = otherKeys.filter((key) => registry.has(key))
  const names = [...Object.keys(TASK_PROPERTIES), ...registry.keys()]
  for (const key of otherKeys.filter((other) => !registry.has(other)))
    problems.add(
      'E_PLAYBOOK',
      `${key} is no module and no key of a task`,
      yaml.keyPlace([...path, key]),
      didYouMean(key, names),
    )
  if (otherKeys.length === 0) problems.add('E_PLAYBOOK', 'the task has no module', place)
  const [first, second] = modules
  if (second !== undefined)
    problems.add(
      'E_PLAYBOOK',
      `a task has one module; this one has ${modules.join(' and ')}`,
      yaml.keyPlace([...path, second]),
    )
  return otherKeys.length === 1 && first !== undefined ? registry.get(first) : undefined
}

function checkWords(task: TaskSource, { handlers, problems }: TaskContext): void {
  const { yaml, path, notify, register } = task
  notify.forEach((name, i) => {
    if (handlers.includes(name)) return
    const inList = Array.isArray(task.value['notify'])
    const place = yaml.place([...path, 'notify', ...(inList ? [i] : [])])
    problems.add('E_PLAYBOOK', `there is no handler "${name}"`, place, didYouMean(name, handlers))
  })
  if (register !== undefined && ([...RESERVED_NAMES, 'result'] as string[]).includes(register))
    problems.add(
      'E_PLAYBOOK',
      `${register} is a name of twonode's own`,
      yaml.place([...path, 'register']),
    )
}

function argsOf(
  { yaml, path, value }: TaskSource,
  module: string,
  problems: Problems,
): JsonObject | undefined {
  const args = value[module]
  if (args === null) return {}
  if (isObject(args)) return args
  problems.add('E_ARGUMENT', `the arguments of ${module} are a map`, yaml.place([...path, module]))
  return undefined
}

function embed(
  args: JsonObject,
  {
    task,
    module,
    context,
    check,
  }: {
    readonly task: TaskSource
    readonly module: AnyModule
    readonly context: TaskContext
    readonly check: TaskCheck
  },
): Embedded {
  return embedFiles(args, module.schema, {
    files: context.files,
    from: task.yaml.file,
    anchored: context.binaryPaths,
    addBlob: context.addBlob,
    refuse: (fault, path, place) => check.refuseValue(fault, path, place),
    render: (value, path) => renderForAll(value, path, check),
  })
}

/** One plan is for both hosts: a file's name must be the same on each, and known beforehand. */
function renderForAll(value: Json, path: readonly (string | number)[], check: TaskCheck): unknown {
  const isPlain = [...texts(value)].every(({ text }) => !isTemplate(text))
  if (isPlain) return value
  const rendered = check.renderEverywhere(value, path)
  const [first, ...others] = [...new Set(rendered.map((one) => JSON.stringify(one) ?? ''))]
  if (first === undefined) return undefined
  if (rendered.includes(UNKNOWN) || others.length > 0) {
    const message = 'a file must be known before the run, and the same for all hosts and items'
    check.refuseValue(new Fault('E_ARGUMENT', message, 0), path)
    return UNKNOWN
  }
  return rendered[0]
}

function toStep(
  task: TaskSource,
  module: AnyModule,
  { context, args }: { readonly context: TaskContext; readonly args: JsonObject },
): PlanStep {
  const { name, whens, loop, register, until, place } = task
  const vars = ownVars(task, context)
  const when =
    whens.length === 1 ? whens[0]?.text : whens.map(({ text }) => `(${text})`).join(' && ')
  const step = {
    args,
    ...(Object.keys(vars).length === 0 ? {} : { vars }),
    ...(whens.length === 0 || when === undefined ? {} : { when }),
    ...(loop === undefined ? {} : { loop }),
    ...(until === undefined ? {} : { until: until.text }),
  }
  const used = stepReferences(step, celPaths(module.schema))
  return {
    id: context.id,
    name: name ?? module.name,
    module: module.name,
    ...step,
    ...(register === undefined ? {} : { register }),
    notify: task.notify,
    tags: task.tags,
    retries: task.retries,
    delayMs: task.delayMs,
    timeoutMs: task.timeoutMs,
    reads: context.registers.filter((one) => used.includes(one)),
    place,
  }
}

/** Variables of the playbook that count: those that the inventory gives to both hosts do not. */
function ownVars(task: TaskSource, { vars }: TaskContext): JsonObject {
  const above = Object.values(vars)
  const entries = Object.entries(mergeVars(task.vars))
  return Object.fromEntries(
    entries.filter(([name]) => !above.every((host) => Object.hasOwn(host, name))),
  )
}
