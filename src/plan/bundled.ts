import { TwonodeError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { Plan, PlanPlay, PlanStep } from '../core/plan.ts'
import type { Secret } from '../core/secret.ts'
import { BUNDLE_PLACE, FILES_FOLDER, PACKAGES_FOLDER } from './bundle_places.ts'
import { earlyNames } from './names.ts'
import { stepNames } from './step_context.ts'
import { renderTree } from './tree.ts'
import type { Names } from './values.ts'

const REPOSITORY = `${BUNDLE_PLACE}/${PACKAGES_FOLDER}`

/** A file that the hosts would be sent, or would fetch. */
export interface WantedFile {
  readonly sha256: string
  /** Undefined: the machine that compiled the plan has it. */
  readonly url: string | undefined
}

/** A plan for hosts that have everything on their own disk, and what that is. */
export interface BundledPlan {
  readonly plan: Plan
  /** Each once, by sha256. */
  readonly files: readonly WantedFile[]
  /** Names of Debian packages, of both hosts together, sorted. */
  readonly packages: readonly string[]
}

/**
 * Turns a plan that sends and fetches into one that does neither.
 *
 * @throws TwonodeError E_ARGUMENT for what is known only on a host that runs it
 */
export function bundledPlan(plan: Plan, secrets: ReadonlyMap<string, Secret>): BundledPlan {
  const files = new Map<string, WantedFile>()
  const step = (one: PlanStep): PlanStep => {
    if (one.module === 'package') return { ...one, args: { ...one.args, repository: REPOSITORY } }
    if (runsNever(one, plan, secrets)) return one
    const found = sourceOf(one)
    if (found === undefined) return one
    const { sha256, url } = found
    files.set(sha256, { sha256, url })
    const host_path = `${BUNDLE_PLACE}/${FILES_FOLDER}/${sha256}`
    return { ...one, args: { ...one.args, source: { host_path, sha256 } } }
  }
  const play = (one: PlanPlay): PlanPlay => ({
    ...one,
    steps: one.steps.map(step),
    gate: one.gate.map(step),
  })
  const plays = plan.plays.map(play)
  return {
    plan: { ...plan, plays, handlers: plan.handlers.map(step) },
    files: [...files.values()].toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1)),
    packages: packagesOf(plan, secrets),
  }
}

/** What an artifact's bytes come from, unless they are on the host already. */
function sourceOf(step: PlanStep): WantedFile | undefined {
  if (step.module !== 'artifact') return undefined
  const { source } = step.args
  if (!isObject(source)) throw unknown(step, 'where its file comes from')
  const { blob, url, sha256 = step.args['sha256'] } = source
  if (blob === undefined && url === undefined) return undefined
  if (typeof sha256 !== 'string') throw unknown(step, 'the sha256 of its file')
  return { sha256, url: typeof url === 'string' ? url : undefined }
}

function packagesOf(plan: Plan, secrets: ReadonlyMap<string, Secret>): readonly string[] {
  const steps = [
    ...plan.plays.flatMap(({ steps: own, gate }) => [...own, ...gate]),
    ...plan.handlers,
  ]
  const wanted = steps.filter(
    ({ module, args }) => module === 'package' && args['state'] !== 'absent',
  )
  const names = wanted.flatMap((step) =>
    plan.site.hosts.flatMap(({ name }) => packageNames(step, plan, { host: name, secrets })),
  )
  return [...new Set(names)].toSorted()
}

/** A list without items on both hosts: what a site has none of. */
function runsNever(step: PlanStep, plan: Plan, secrets: ReadonlyMap<string, Secret>): boolean {
  if (step.loop === undefined || step.module !== 'artifact') return false
  return plan.site.hosts.every(
    ({ name }) => itemsOn(step, plan, { host: name, secrets }).length === 0,
  )
}

interface On {
  readonly host: string
  readonly secrets: ReadonlyMap<string, Secret>
}

/** What names a step has on a host, once for each item that it goes through there. */
function itemsOn(step: PlanStep, plan: Plan, { host, secrets }: On): readonly Names[] {
  const names = stepNames(earlyNames({ ...plan, host, role: undefined }), step.vars, secrets)
  if (step.loop === undefined) return [names]
  const items = renderTree(step.loop, { names, secrets })
  if (!Array.isArray(items)) throw unknown(step, 'the list that it goes through')
  return items.map((item: unknown) => ({ ...names, item }))
}

function packageNames(step: PlanStep, plan: Plan, on: On): readonly string[] {
  return itemsOn(step, plan, on).flatMap((names) => {
    const found = renderTree(step.args['name'], { names, secrets: on.secrets })
    return (Array.isArray(found) ? found : [found]).map((name: unknown) => {
      if (typeof name === 'string') return name
      throw unknown(step, 'the name of its package')
    })
  })
}

function unknown({ name, place }: PlanStep, what: string): TwonodeError {
  return new TwonodeError('E_ARGUMENT', `"${name}": only a host knows ${what}`, {
    place,
    hint: 'A bundle is made without the hosts: write it out, or put it into the inventory.',
  })
}
