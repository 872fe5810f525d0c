import { EXIT, type ExitCode } from '../core/errors.ts'
import { chosenPlan } from './chosen_plan.ts'
import { type CommandRun, flagOption, type Invocation, textOption } from './command.ts'
import { compileSites, playbookNamed, type ReadySite } from './compile_sites.ts'
import { missingGateways } from './missing_gateways.ts'
import { createPaint, wantsColour } from './paint.ts'
import { planText } from './plan_text.ts'
import { createReport } from './report.ts'
import { readRunFlags, type RunFlags } from './run_flags.ts'
import { guardedWorld, runSites } from './run_sites.ts'
import { unreadVars } from './unread_vars.ts'
import type { World } from './world.ts'

/** `twonode converge`: the hosts are brought to the declared state, or it is said what would be done. */
export const converge: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const file = textOption(invocation, 'bundle')
  if (file !== undefined) {
    const { withBundledSite } = await import('./bundled_site.ts')
    return await withBundledSite(file, invocation, { flags, world }, async (site) =>
      convergeSites([site], invocation, { flags, world }),
    )
  }
  const source = playbookNamed(invocation.arguments[0], world, 'site.yaml')
  const sites = await compileSites(source, flags, world)
  return await convergeSites(sites, invocation, { flags, world })
}

async function convergeSites(
  sites: readonly ReadySite[],
  invocation: Invocation,
  { flags, world }: { readonly flags: RunFlags; readonly world: World },
): Promise<ExitCode> {
  const guarded = guardedWorld(world, sites)
  const listsTasks = flagOption(invocation, 'listTasks')
  const listsHosts = flagOption(invocation, 'listHosts')
  if (listsTasks) listTasks(sites, flags.tags, guarded)
  if (listsHosts) listHosts(sites, guarded)
  if (listsTasks || listsHosts) return EXIT.done

  const report = await createReport(guarded, flags)
  for (const message of [...unreadVars(flags.extraVars, sites), ...missingGateways(sites)])
    report.emit({ event: 'note', level: 'warning', message })
  const mode = { check: flags.check, lookOnly: false, report: false }
  try {
    return await runSites(sites, { flags, mode, emit: (event) => report.emit(event) }, guarded)
  } finally {
    report.end()
  }
}

function listTasks(
  sites: readonly ReadySite[],
  tags: readonly string[],
  { stdout, env, cwd }: World,
): void {
  const paint = createPaint(wantsColour(env, stdout.isTerminal))
  const texts = sites.map(({ compiled }) => planText(chosenPlan(compiled.plan, tags), paint, cwd))
  stdout.write(texts.join('\n'))
}

function listHosts(sites: readonly ReadySite[], { stdout }: World): void {
  for (const { inventory, participants } of sites)
    for (const { name, address } of participants)
      stdout.write(`${inventory.site.name}  ${name}  ${address}\n`)
}
