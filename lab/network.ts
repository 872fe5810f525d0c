import { readdir } from 'node:fs/promises'
import { must } from './command.ts'
import type { HostName, LabAddresses, LabObjects } from './names.ts'
import { HOST_NAMES, peerOf } from './names.ts'

/** A broken path. `from: 'gateway'` is the rest of the world: the laptop and the packages too. */
export interface Cut {
  readonly host: HostName
  readonly from: 'peer' | 'gateway' | 'all'
  /** Only what the host sends is lost; it still hears. */
  readonly oneWay: boolean
}

/** Milliseconds that what is sent to a host arrives later: a round trip to it grows by that. */
export type Delays = Readonly<Partial<Record<HostName, number>>>

/** Packets that are sent to a host and never arrive. The same seed loses the same places in their order. */
export interface Loss {
  readonly percent: number
  readonly seed: number
}

export type Losses = Readonly<Partial<Record<HostName, Loss>>>

/** What the machine has at the moment. */
export interface NetworkFacts {
  readonly links: ReadonlySet<string>
  readonly namespaces: ReadonlySet<string>
}

export type Command = readonly string[]

/** Commands that bring up what is missing of a lab's network; none if all is there. */
export function networkUp(
  objects: LabObjects,
  addresses: LabAddresses,
  facts: NetworkFacts,
): Command[] {
  const { bridge } = objects
  const commands: Command[] = []
  if (!facts.links.has(bridge)) {
    commands.push(['ip', 'link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0'])
    commands.push(['ip', 'address', 'add', `${addresses.gateway}/24`, 'dev', bridge])
    commands.push(['ip', 'link', 'set', bridge, 'up'])
  }
  for (const host of HOST_NAMES) {
    const { machine, link } = objects.hosts[host]
    const hasNamespace = facts.namespaces.has(machine)
    if (!hasNamespace) commands.push(['ip', 'netns', 'add', machine])
    if (hasNamespace && facts.links.has(link)) {
      // After a bridge was lost, its ports are there without it.
      commands.push(['ip', 'link', 'set', link, 'master', bridge])
      continue
    }
    if (facts.links.has(link)) commands.push(['ip', 'link', 'delete', link])
    const peer = ['peer', 'name', 'eth0', 'netns', machine]
    commands.push(['ip', 'link', 'add', link, 'type', 'veth', ...peer])
    commands.push(['ip', 'link', 'set', link, 'master', bridge, 'up'])
    commands.push(...insideUp(machine, `${addresses.hosts[host]}/24`, addresses.gateway))
  }
  return commands
}

function insideUp(namespace: string, address: string, gateway: string): Command[] {
  const inside = ['ip', '-n', namespace]
  return [
    [...inside, 'address', 'add', address, 'dev', 'eth0'],
    [...inside, 'link', 'set', 'lo', 'up'],
    [...inside, 'link', 'set', 'eth0', 'up'],
    [...inside, 'route', 'add', 'default', 'via', gateway],
  ]
}

/** Commands that remove what there is of a lab's network. Its processes must be gone before. */
export function networkDown(objects: LabObjects, facts: NetworkFacts): Command[] {
  const commands: Command[] = []
  for (const host of HOST_NAMES) {
    const { machine, link } = objects.hosts[host]
    if (facts.links.has(link)) commands.push(['ip', 'link', 'delete', link])
    if (facts.namespaces.has(machine)) commands.push(['ip', 'netns', 'delete', machine])
  }
  if (facts.links.has(objects.bridge)) commands.push(['ip', 'link', 'delete', objects.bridge])
  return commands
}

/**
 * The lab's cuts as one nft script that replaces all of its rules at once. They stand on the
 * bridge, outside the hosts: root on a host neither sees nor removes them.
 */
export function cutRules(objects: LabObjects, cuts: readonly Cut[]): string {
  const table = `bridge ${objects.nftTable}`
  const head = `add table ${table}\ndelete table ${table}\n`
  const chains = { forward: [] as string[], input: [] as string[], output: [] as string[] }
  for (const cut of cuts) {
    const mine = objects.hosts[cut.host].link
    const peers = objects.hosts[peerOf(cut.host)].link
    if (cut.from !== 'gateway') {
      chains.forward.push(`iifname ${mine} oifname ${peers} drop`)
      if (!cut.oneWay) chains.forward.push(`iifname ${peers} oifname ${mine} drop`)
    }
    if (cut.from !== 'peer') {
      chains.input.push(`iifname ${mine} drop`)
      if (!cut.oneWay) chains.output.push(`oifname ${mine} drop`)
    }
  }
  const all = Object.entries(chains).filter(([, rules]) => rules.length)
  if (all.length === 0) return head
  const body = all.map(
    ([hook, rules]) =>
      `  chain ${hook} {\n    type filter hook ${hook} priority 0\n${rules
        .map((rule) => `    ${rule}\n`)
        .join('')}  }\n`,
  )
  return `${head}table ${table} {\n${body.join('')}}\n`
}

/** What the machine has now. */
export async function networkFacts(): Promise<NetworkFacts> {
  const links = JSON.parse((await must(['ip', '-json', 'link', 'show'])) || '[]') as {
    ifname: string
  }[]
  const namespaces = await readdir('/run/netns').catch(() => [])
  return { links: new Set(links.map((link) => link.ifname)), namespaces: new Set(namespaces) }
}

export async function runAll(commands: readonly Command[]): Promise<void> {
  for (const command of commands) await must(command)
}
