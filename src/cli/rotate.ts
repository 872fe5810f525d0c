import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import { type CommandRun, type Invocation, textOption } from './command.ts'
import { compileSites, playbookNamed } from './compile_sites.ts'
import { createReport } from './report.ts'
import { readRunFlags } from './run_flags.ts'
import { guardedWorld, runSites } from './run_sites.ts'
import type { World } from './world.ts'

/** What the playbook calls the time since which a certificate must have been issued. */
const SINCE_VAR = 'certificatesIssuedAfter'

const TAGS = ['certificates']

/** `twonode rotate certificates`, or `token`. */
export const rotate: CommandRun = async (invocation, world) => {
  const [what = ''] = invocation.arguments
  refuseOptionsOf(what, invocation)
  if (what === 'certificates') return await rotateCertificates(invocation, world)
  return await (await import('./rotate_token.ts')).rotateToken(invocation, world)
}

/** @throws TwonodeError when this is nothing to be rotated, or an option is of something else */
function refuseOptionsOf(what: string, invocation: Invocation): void {
  if (what !== 'certificates' && what !== 'token')
    throw new TwonodeError('E_USAGE', `nothing is known of how ${what} are rotated`, {
      hint: 'Write `twonode rotate certificates` or `twonode rotate token`.',
    })
  const [option, flag, of] =
    what === 'token' ? ['since', '--since', 'certificates'] : ['tokenFile', '--token-file', 'token']
  if (textOption(invocation, option) !== undefined)
    throw new TwonodeError('E_USAGE', `${flag} is for \`twonode rotate ${of}\` alone`)
}

/** A converge of their tasks, for which what is older is too old. */
async function rotateCertificates(invocation: Invocation, world: World): Promise<ExitCode> {
  const since = timeOf(textOption(invocation, 'since'), world.now())
  const flags = readRunFlags(invocation)
  const extraVars = [...flags.extraVars, `${SINCE_VAR}=${since}`]
  const source = playbookNamed(undefined, world, 'site.yaml')
  const chosen = { ...flags, tags: TAGS, extraVars }
  const sites = await compileSites(source, chosen, world)
  const guarded = guardedWorld(world, sites)
  const report = await createReport(guarded, chosen)
  const mode = { check: flags.check, lookOnly: false, report: false }
  try {
    const emit = (event: Parameters<typeof report.emit>[0]) => report.emit(event)
    const exitCode = await runSites(sites, { flags: chosen, mode, emit }, guarded)
    if (exitCode !== EXIT.done && !flags.check)
      emit({
        event: 'note',
        level: 'warning',
        message: `what is done is done: go on with \`twonode rotate certificates -i ${flags.inventory} --since ${since}\``,
      })
    return exitCode
  } finally {
    report.end()
  }
}

/** Whole seconds, as certificates have them. */
function timeOf(text: string | undefined, now: number): string {
  const at = text === undefined ? now : Date.parse(text)
  if (!Number.isNaN(at)) return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
  throw new TwonodeError('E_USAGE', `--since ${text} is no time`, {
    hint: 'Write it as 2026-11-22T16:30:00Z.',
  })
}
