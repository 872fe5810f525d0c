import { join } from 'node:path'
import { EXIT, TwonodeError } from '../core/errors.ts'
import { parseInventory } from '../plan/inventory.ts'
import { type CommandRun, type Invocation, listOption, textOption } from './command.ts'
import type { World } from './world.ts'

/** What an inventory needs to know at least. */
interface Answers {
  readonly name: string
  readonly hosts: readonly { readonly name: string; readonly address: string }[]
  readonly user: string
  readonly virtualIp: string | undefined
  readonly interface: string
  readonly gateway: string | undefined
}

/** `twonode init`: an inventory to start from. Never replaces a file. */
export const init: CommandRun = async (invocation, world) => {
  const [name = 'inventory.yaml'] = invocation.arguments
  const path = join(world.cwd, name)
  if (world.files.read(path) !== undefined)
    throw new TwonodeError('E_FILE', `${name} exists already`, {
      hint: 'Name another file: twonode init FILE.',
    })
  const text = inventoryText(await answers(invocation, world))
  // What it refuses must not reach the disk: the next command would refuse it.
  parseInventory(text, name)
  world.files.write(path, text, { replace: false })
  world.stdout.write(`${name} written. Next: twonode converge -i ${name} --check\n`)
  return EXIT.done
}

async function answers(invocation: Invocation, world: World): Promise<Answers> {
  const ask = async (question: string, preset: string): Promise<string> => {
    const answer = await world.questions.ask(`${question} [${preset}] `)
    return answer === undefined || answer.trim() === '' ? preset : answer.trim()
  }
  const given = listOption(invocation, 'host')
  const asks = given.length === 0
  if (asks && !world.questions.possible)
    throw new TwonodeError('E_USAGE', 'the two hosts are not given, and nobody is there to ask', {
      hint: 'Pass --host NAME=ADDRESS twice.',
    })
  const value = async (option: string, question: string, preset: string): Promise<string> =>
    textOption(invocation, option) ?? (asks ? await ask(question, preset) : preset)
  const name = await value('name', 'Name of the site', 'site')
  const pairs = asks
    ? [await ask('First host', 'h1=10.0.0.11'), await ask('Second host', 'h2=10.0.0.12')]
    : given
  const user = await value('user', 'User to log in as', 'root')
  const virtualIp = await value('virtualIp', 'Virtual IP with prefix, or none', 'none')
  const networkInterface =
    virtualIp === 'none' ? 'eth0' : await value('interface', 'Network interface', 'eth0')
  const gateway = await value('gateway', 'Gateway, or none', 'none')
  return {
    name,
    hosts: pairs.map(hostOf),
    user,
    virtualIp: virtualIp === 'none' ? undefined : virtualIp,
    interface: networkInterface,
    gateway: gateway === 'none' ? undefined : gateway,
  }
}

function hostOf(pair: string): { readonly name: string; readonly address: string } {
  const found = /^([^=\s]+)=([^=\s]+)$/.exec(pair)
  if (found?.[1] === undefined || found[2] === undefined)
    throw new TwonodeError('E_USAGE', `"${pair}" is no host`, { hint: 'Write NAME=ADDRESS.' })
  return { name: found[1], address: found[2] }
}

function inventoryText(answers: Answers): string {
  const { name, hosts, user, gateway } = answers
  const host = (h: Answers['hosts'][number]) => `  - name: ${scalar(h.name)}
    address: ${scalar(h.address)}
    ssh: { user: ${scalar(user)} }
`
  return `# The two hosts of one site. \`twonode docs inventory\` explains every key.
name: ${scalar(name)}

hosts:
${hosts.map(host).join('')}
# Leads when the pair is made. Later the hosts decide by themselves who leads.
initialLeader: ${scalar(hosts[0]?.name ?? '')}

# An address that follows the leader: what kubectl and the agents of workers talk to.
${virtualIpText(answers)}
# Tells a host "I am cut off" from "my peer is gone". Without one a follower never takes over.
${gateway === undefined ? '# gateways: ["10.0.0.1"]\n' : `gateways: [${scalar(gateway)}]\n`}
# Where the two binaries come from: a file beside this one, or a URL with its sha256, as
# k3s: { url: "https://…", sha256: "…" }. Get them from the releases of kine and of k3s.
kine: { path: kine }
k3s: { path: k3s }
`
}

function virtualIpText(answers: Answers): string {
  const { virtualIp } = answers
  if (virtualIp === undefined)
    return '# virtualIp: { address: "10.0.0.10", prefix: 24, interface: "eth0" }\n'
  const [address = '', prefix = '24'] = virtualIp.split('/')
  return `virtualIp: { address: ${scalar(address)}, prefix: ${prefix}, interface: ${scalar(answers.interface)} }\n`
}

/** Always quoted: an answer is text, whatever it looks like to YAML. */
function scalar(text: string): string {
  return JSON.stringify(text)
}
