import { Refusals, TwonodeError } from '../core/errors.ts'
import { HOST_COMMANDS } from '../core/host_commands.ts'
import type { InventoryHost } from '../plan/inventory.ts'
import { COMMANDS } from './command_table.ts'
import { chooseHosts, filesOf } from './compile_sites.ts'
import type { World } from './world.ts'

/** Where a command that a laptop does not have runs; undefined: a host does not have it either. */
export function hostOnly(argv: readonly string[], world: World): TwonodeError | undefined {
  const name = argv.find((word) => !word.startsWith('-')) ?? ''
  const isLaptops = COMMANDS.some((command) => command.name === name)
  if (isLaptops || !HOST_COMMANDS.some((command) => command.name === name)) return undefined
  const words = `twonode ${name}`
  const lines = hostsOf(argv, world).map((host) => `${host.name}: \`${loginOf(host)} ${words}\``)
  const ways = lines.length === 0 ? `\`ssh HOST sudo ${words}\`` : lines.join(', ')
  return new TwonodeError('E_USAGE', `\`${words}\` runs on a host, as root`, {
    hint: `${ways}. docs/host.md has its options.`,
  })
}

/** sudo may ask for a password: hence a terminal. */
function loginOf({ address, ssh: { user } }: InventoryHost): string {
  if (user === 'root') return `ssh root@${address}`
  return `ssh -t ${user === undefined ? '' : `${user}@`}${address} sudo`
}

/** The hosts of the inventory that was named, if it can be read: what is wrong with it is not the question. */
function hostsOf(argv: readonly string[], world: World): readonly InventoryHost[] {
  const at = argv.findIndex((word) => word === '-i' || word === '--inventory')
  const inventory = at === -1 ? undefined : argv[at + 1]
  if (inventory === undefined) return []
  try {
    const sites = chooseHosts({ inventory, sites: [], limit: [] }, filesOf(world))
    return sites.flatMap(({ participants }) => participants)
  } catch (error) {
    if (error instanceof TwonodeError || error instanceof Refusals) return []
    throw error
  }
}
