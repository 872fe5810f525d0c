import { EXIT } from '../core/errors.ts'
import { chosenPlan } from './chosen_plan.ts'
import type { CommandRun } from './command.ts'
import { compileSites, playbookNamed } from './compile_sites.ts'
import { lint } from './lint.ts'
import { createPaint, wantsColour } from './paint.ts'
import { missingGateways } from './missing_gateways.ts'
import { planText } from './plan_text.ts'
import { readRunFlags } from './run_flags.ts'
import { guardedWorld } from './run_sites.ts'
import { unreadVars } from './unread_vars.ts'

/** `twonode plan`: everything that can be said before a connection is opened. */
export const plan: CommandRun = async (invocation, world) => {
  const source = playbookNamed(invocation.arguments[0], world, 'site.yaml')
  const flags = readRunFlags(invocation)
  const sites = await compileSites(source, flags, world)
  const { stdout, stderr } = guardedWorld(world, sites)
  const paint = createPaint(wantsColour(world.env, stdout.isTerminal))
  const warnings = new Set([...unreadVars(flags.extraVars, sites), ...missingGateways(sites)])
  for (const { compiled } of sites) {
    const chosen = chosenPlan(compiled.plan, flags.tags)
    if (flags.json) stdout.write(`${JSON.stringify(chosen)}\n`)
    else stdout.write(planText(chosen, paint, world.cwd))
    for (const warning of lint(compiled.plan, world.distribution.playbooks)) warnings.add(warning)
  }
  for (const warning of warnings) stderr.write(`warning ${warning}\n`)
  return EXIT.done
}
