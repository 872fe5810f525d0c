import { TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import { parseInventory } from '../plan/inventory.ts'
import { parseDuration } from '../plan/units.ts'
import { type CommandRun, flagOption, type Invocation, textOption } from './command.ts'
import { compileSites, filesOf, playbookNamed } from './compile_sites.ts'
import { type Replacement, replacementOf } from './judge_replacement.ts'
import { runReplacement } from './replace_run.ts'
import { createReport } from './report.ts'
import { readRunFlags, type RunFlags } from './run_flags.ts'
import { guardedWorld } from './run_sites.ts'
import type { World } from './world.ts'

/** A copy takes a minute a GiB; the pair is made within seconds of its end. @unit milliseconds */
const PAIRS_MS = 10 * 60_000

/**
 * `twonode replace`: another machine takes the place of a host that is gone. The survivor's agent
 * accepts it (B10), a converge makes it a follower, the agents make them a pair. What is done already
 * is found done: cut anywhere and run again, it goes on.
 */
export const replace: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const asksNobody = flagOption(invocation, 'yes') || flags.check
  if (!asksNobody && !world.questions.possible)
    throw new TwonodeError('E_USAGE', 'nobody is there to confirm that a host is gone for good', {
      hint: 'Pass --yes, or look first with --check.',
    })
  const replacement = replacementOf(inventorySites(flags, world), {
    host: textOption(invocation, 'host') ?? '',
    old: textOption(invocation, 'for') ?? '',
  })
  const selection = { ...flags, sites: [replacement.site.name] }
  const sites = await compileSites(playbookNamed(undefined, world, 'site.yaml'), selection, world)
  const guarded = guardedWorld(trustingOnly(replacement.host, world), sites)
  const report = await createReport(guarded, flags)
  const command = commandOf(replacement, flags)
  const over = new AbortController()
  const dispose = world.onInterrupt(() => over.abort())
  const parts = {
    flags,
    world: guarded,
    sites,
    emit: (event: Event) => report.emit(withCommand(event, command)),
    command,
    over: over.signal,
    pairsMs: patience(invocation),
    confirmed: asksNobody,
  }
  try {
    return await runReplacement(replacement, parts)
  } finally {
    dispose()
    report.end()
  }
}

/** What is to be run again, wherever this was cut. */
function commandOf({ host, old }: Replacement, { inventory }: RunFlags): string {
  return `twonode replace -i ${inventory} --host ${host} --for ${old}`
}

/** Its converges end with a converge's advice: whoever follows it would leave out what comes after. */
function withCommand(event: Event, command: string): Event {
  if (!('trouble' in event) || event.trouble === undefined) return event
  const { trouble } = event
  const hint = trouble.hint.replaceAll(/([Rr]un) the converge again/g, `$1 \`${command}\` again`)
  return { ...event, trouble: { ...trouble, hint } }
}

function inventorySites({ inventory, sites: named }: RunFlags, world: World) {
  const text = filesOf(world).read(inventory)
  if (text === undefined)
    throw new TwonodeError('E_FILE', `there is no inventory ${inventory}`, {
      hint: 'Pass -i FILE; twonode init writes one.',
    })
  return [...parseInventory(text, inventory).sites.values()].filter(
    ({ site }) => named.length === 0 || named.includes(site.name),
  )
}

function patience(invocation: Invocation): number {
  const text = textOption(invocation, 'timeout')
  const durationMs = text === undefined ? PAIRS_MS : parseDuration(text)
  if (durationMs !== undefined) return durationMs
  throw new TwonodeError('E_USAGE', `--timeout ${text} is no duration`, {
    hint: 'Write a number and a unit: 30s, 5m.',
  })
}

/** New is the new machine's key alone: that of the host that stays is known, or is no good. */
function trustingOnly(host: string, world: World): World {
  return {
    ...world,
    open: async (request, listener) => {
      const acceptNewHostKeys = request.acceptNewHostKeys && request.host.name === host
      return await world.open({ ...request, acceptNewHostKeys }, listener)
    },
  }
}
