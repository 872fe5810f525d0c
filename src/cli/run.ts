import { stringify } from 'yaml'
import { type ErrorDetail, type ErrorKind, Refusals, TwonodeError } from '../core/errors.ts'
import { isObject, type Json } from '../core/json.ts'
import { registry } from '../../modules/index.ts'
import { didYouMean } from '../plan/nearest.ts'
import type { CommandRun } from './command.ts'
import { compileSites, type PlaybookSource, type ReadySite } from './compile_sites.ts'
import { createReport } from './report.ts'
import { readRunFlags, type RunFlags } from './run_flags.ts'
import { guardedWorld, runSites } from './run_sites.ts'
import { splitAssignment, typedText } from './typed_text.ts'
import { unreadVars } from './unread_vars.ts'
import type { World } from './world.ts'

/** Where errors of an ad hoc task say that they are; a person sees no line of it. */
const AD_HOC = 'command line'

/** `twonode run MODULE NAME=VALUE…`: a playbook of one task. */
export const run: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const [module = '', ...args] = invocation.arguments
  const sites = await compileAdHoc(adHocPlaybook(module, args), flags, world)
  const guarded = guardedWorld(world, sites)
  const report = await createReport(guarded, { ...flags, verbose: true, purpose: 'run' })
  for (const message of unreadVars(flags.extraVars, sites))
    report.emit({ event: 'note', level: 'warning', message })
  const mode = { check: flags.check, lookOnly: false, report: true }
  try {
    return await runSites(sites, { flags, mode, emit: (event) => report.emit(event) }, guarded)
  } finally {
    report.end()
  }
}

function adHocPlaybook(module: string, args: readonly string[]): PlaybookSource {
  const properties = registry.get(module)?.schema['properties']
  if (!isObject(properties))
    throw new TwonodeError('E_USAGE', `there is no module ${module}`, {
      hint: didYouMean(module, [...registry.keys()]),
    })
  const values: Record<string, Json> = {}
  for (const arg of args) {
    const [name, text] = splitAssignment(arg, 'run')
    values[name] = isText(properties[name]) ? text : typedText(text, name)
  }
  const play = { name: 'ad hoc', hosts: 'all', tasks: [{ name: module, [module]: values }] }
  return { kind: 'text', text: stringify([play], { lineWidth: 0 }), name: AD_HOC }
}

/** `name=0644` is text where the module wants text, whatever it looks like. */
function isText(schema: unknown): boolean {
  return isObject(schema) && schema['type'] === 'string'
}

async function compileAdHoc(
  source: PlaybookSource,
  flags: RunFlags,
  world: World,
): Promise<readonly ReadySite[]> {
  try {
    return await compileSites(source, flags, world)
  } catch (error) {
    throw error instanceof Refusals ? new Refusals(error.all.map(withoutPlace)) : error
  }
}

/** A line of a playbook that nobody wrote helps nobody. */
function withoutPlace(error: TwonodeError): TwonodeError {
  if (error.place?.file !== AD_HOC) return error
  const { code, message, hint, detail } = error.toTrouble()
  const more: ErrorDetail = { hint, ...(detail === undefined ? {} : { detail }) }
  return new TwonodeError(code as ErrorKind, message, more)
}
