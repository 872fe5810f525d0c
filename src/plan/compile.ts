import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { Registry, Validate } from '../core/module.ts'
import {
  PLAN_FORMAT,
  type CustomModule,
  type Plan,
  type PlanPlay,
  type PlanStep,
} from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'
import type { ArtifactSetting, Role, Site } from '../core/site.ts'
import { compileTask, type TaskContext } from './compile_task.ts'
import type { Blob } from './file_args.ts'
import type { InventorySite, VarLevel } from './inventory.ts'
import { didYouMean } from './nearest.ts'
import { Ownership } from './ownership.ts'
import { baseName } from './paths.ts'
import type { Files, PlaySource, Playbook } from './playbook.ts'
import { Problems } from './problems.ts'
import type { SecretSource } from './secret_source.ts'
import type { TaskSource } from './task_source.ts'
import { hostVars } from './vars.ts'

export interface CompileInput {
  readonly site: InventorySite
  readonly playbook: Playbook
  readonly registry: Registry
  readonly validate: Validate
  /** From `-e`, see `parseExtraVars`. */
  readonly extraVars: readonly VarLevel[]
  readonly files: Files
  /** Reads a secret's value; throws E_SECRET. One source is asked for once. */
  readonly readSecret: (source: SecretSource) => Secret
  /** sha256 of the bundle that will run the plan. */
  readonly bundle: string
  readonly version: string
  readonly customModules?: readonly CustomModule[]
  /** From `--tags`: each must stand at some task. */
  readonly tags?: readonly string[]
  /** Hosts of all sites: a play for one of another site is no mistake, it never runs here. */
  readonly hostNames?: readonly string[]
}

export interface Compiled {
  readonly plan: Plan
  /** By reference id. They travel beside the plan. */
  readonly secrets: ReadonlyMap<string, Secret>
  /** By sha256. */
  readonly blobs: ReadonlyMap<string, Blob>
}

/**
 * Turns an inventory's site and a playbook into a plan.
 *
 * Pure: what it reads comes through its ports, and the same input gives the same plan.
 *
 * @throws Refusals with every problem found
 */
export function compile(input: CompileInput): Compiled {
  const problems = new Problems()
  const compiler = new Compiler(input, problems)
  const plan = compiler.plan()
  problems.throwIfAny()
  return { plan, secrets: compiler.secrets, blobs: compiler.blobs }
}

const ROLE_PLAYS = ['all', 'leader', 'follower']

class Compiler {
  readonly secrets: ReadonlyMap<string, Secret>
  readonly blobs = new Map<string, Blob>()
  readonly #input: CompileInput
  readonly #problems: Problems
  readonly #vars: Readonly<Record<string, JsonObject>>
  readonly #site: Site
  readonly #ownership: Ownership
  readonly #handlers: readonly TaskSource[]
  readonly #registers = new Set<string>()

  constructor(input: CompileInput, problems: Problems) {
    const { site, playbook, extraVars } = input
    this.#input = input
    this.#problems = problems
    this.#ownership = new Ownership(problems)
    this.#vars = Object.fromEntries(
      site.hosts.map(({ name }) => [name, hostVars(site.vars, name, extraVars)]),
    )
    this.#site = site.site
    this.#handlers = playbook.plays.flatMap(({ handlers }) => handlers)
    this.secrets = this.#readSecrets()
  }

  plan(): Plan {
    this.#checkTags()
    this.#checkHandlerNames()
    const { bundle, version, playbook, customModules = [] } = this.#input
    const plays = playbook.plays.map((play, i) => this.#play(play, i + 1))
    const handlers = this.#handlers.flatMap((task, i) =>
      this.#task(task, { id: `h.${i + 1}`, hosts: 'all', owns: false }),
    )
    return {
      format: PLAN_FORMAT,
      bundle,
      version,
      site: withoutPaths(this.#site),
      vars: this.#vars,
      plays,
      handlers,
      customModules,
    }
  }

  #play(play: PlaySource, id: number): PlanPlay {
    const { name, hosts, rolling } = play
    this.#checkHosts(play)
    const steps = play.tasks.flatMap((task, i) =>
      this.#task(task, { id: `${id}.${i + 1}`, hosts, owns: true }),
    )
    const gate = play.gate.flatMap((task, i) =>
      this.#task(task, { id: `${id}.g${i + 1}`, hosts, owns: false }),
    )
    return { id, name, hosts, rolling, gate, steps }
  }

  #task(
    task: TaskSource,
    more: Pick<TaskContext, 'id' | 'owns'> & { readonly hosts: string },
  ): readonly PlanStep[] {
    const { id, owns, hosts } = more
    const { registry, validate, files, site, extraVars } = this.#input
    const step = compileTask(task, {
      id,
      owns,
      views: this.#views(hosts),
      site: this.#site,
      vars: this.#vars,
      binaryPaths: site.binaryPaths,
      varLevels: [...site.vars, ...extraVars],
      registry,
      validate,
      files,
      secrets: this.secrets,
      problems: this.#problems,
      ownership: this.#ownership,
      registers: [...this.#registers],
      handlers: this.#handlers.map((handler) => handler.name ?? ''),
      addBlob: (sha256, blob) => this.blobs.set(sha256, blob),
    })
    if (task.register !== undefined) this.#registers.add(task.register)
    return step === undefined ? [] : [step]
  }

  /** On which hosts, and in which role, the tasks of a play can run. */
  #views(hosts: string): readonly { readonly host: string; readonly role: Role | undefined }[] {
    const names = this.#site.hosts.map(({ name }) => name)
    if (hosts === 'leader' || hosts === 'follower')
      return names.map((host) => ({ host, role: hosts }))
    return names
      .filter((host) => hosts === 'all' || hosts === host)
      .map((host) => ({ host, role: undefined }))
  }

  #checkHosts({ hosts, hostsPlace }: PlaySource): void {
    const names = this.#site.hosts.map(({ name }) => name)
    const known = [...ROLE_PLAYS, ...names, ...(this.#input.hostNames ?? [])]
    if (!known.includes(hosts))
      this.#problems.add(
        'E_PLAYBOOK',
        `${hosts} is no host and no role`,
        hostsPlace,
        didYouMean(hosts, [...ROLE_PLAYS, ...names]),
      )
  }

  #checkTags(): void {
    const { playbook, tags = [] } = this.#input
    const tasks = playbook.plays.flatMap((play) => [...play.tasks, ...play.gate, ...play.handlers])
    const known = [...new Set(tasks.flatMap((task) => task.tags))]
    for (const tag of tags.filter((one) => !known.includes(one)))
      this.#problems.take(
        new TwonodeError('E_PLAYBOOK', `no task has the tag ${tag}`, {
          hint: didYouMean(tag, known),
        }),
      )
  }

  #checkHandlerNames(): void {
    const seen = new Set<string>()
    for (const { name, place } of this.#handlers) {
      if (name === undefined)
        this.#problems.add('E_PLAYBOOK', 'a handler needs a name to be notified by', place)
      else if (seen.has(name))
        this.#problems.add('E_PLAYBOOK', `there is a handler "${name}" already`, place)
      seen.add(name ?? '')
    }
  }

  #readSecrets(): ReadonlyMap<string, Secret> {
    const { site, playbook, readSecret } = this.#input
    const secrets = new Map<string, Secret>()
    const used = JSON.stringify([this.#vars, site.site, playbook.plays.map(textsOfPlay)])
    for (const [id, source] of [...site.secrets, ...playbook.secrets]) {
      if (secrets.has(id) || !used.includes(JSON.stringify({ $secret: id }))) continue
      const secret = this.#problems.collect(() => readSecret(source))
      if (secret !== undefined) secrets.set(id, secret)
    }
    return secrets
  }
}

function textsOfPlay({ gate, tasks, handlers }: PlaySource): unknown {
  return [...gate, ...tasks, ...handlers].map(({ value, vars }) => [
    value,
    vars.map((level) => level.vars),
  ])
}

/** Paths of the laptop mean nothing on a host, and differ between laptops. */
function withoutPaths(site: Site): Site {
  return {
    ...site,
    kine: { ...site.kine, binary: withoutPath(site.kine.binary) },
    k3s: {
      ...site.k3s,
      binary: withoutPath(site.k3s.binary),
      images: site.k3s.images.map((one) => ({ ...one, binary: withoutPath(one.binary) })),
    },
  }
}

function withoutPath({ path, ...rest }: ArtifactSetting): ArtifactSetting {
  return path === undefined ? rest : { ...rest, path: baseName(path) }
}
