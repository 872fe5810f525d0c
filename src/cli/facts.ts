import { stringify } from 'yaml'
import { type CommandRun, flagOption } from './command.ts'
import { compileSites } from './compile_sites.ts'
import { look } from './look.ts'
import { readRunFlags } from './run_flags.ts'
import { guardedWorld } from './run_sites.ts'
import { lookedExit } from './status.ts'

/** `twonode facts`: hellos carry them, so a playbook without plays is enough. */
export const facts: CommandRun = async (invocation, world) => {
  const flags = readRunFlags(invocation)
  const sites = await compileSites({ kind: 'text', text: '[]', name: 'facts' }, flags, world)
  const guarded = guardedWorld(world, sites)
  const seen = await look(sites, flags, guarded)
  for (const { inventory, participants } of sites) {
    const hosts = Object.fromEntries(
      participants.flatMap(({ name }) => {
        const hello = seen.hellos.get(name)
        return hello === undefined ? [] : [[name, hello.facts] as const]
      }),
    )
    const site = { site: inventory.site.name, hosts }
    const asJson = flagOption(invocation, 'json')
    guarded.stdout.write(asJson ? `${JSON.stringify(site)}\n` : stringify(site))
  }
  return lookedExit(sites, seen)
}
