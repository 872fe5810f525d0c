import { join } from 'node:path'
import { EXIT, TwonodeError } from '../core/errors.ts'
import { parseInventory } from '../plan/inventory.ts'
import { K3S_RELEASE, KINE_RELEASE } from '../plan/inventory_forms.ts'
import { type CommandRun, type Invocation, listOption, textOption } from './command.ts'
import { troublesOf } from './trouble_text.ts'
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

/** A question, and why an answer to it can not be; undefined: it can. */
interface Question {
  readonly option?: string
  readonly text: string
  readonly preset: string
  readonly refuse: (answer: string) => string | undefined
}

/** So often a person is asked anew; a script that answers nonsense ends. */
const ASKED_AT_MOST = 5

async function answers(invocation: Invocation, world: World): Promise<Answers> {
  const given = listOption(invocation, 'host')
  const asks = given.length === 0
  if (asks && !world.questions.possible)
    throw new TwonodeError('E_USAGE', 'the two hosts are not given, and nobody is there to ask', {
      hint: 'Pass --host NAME=ADDRESS twice.',
    })
  const value = async ({ option, ...question }: Question): Promise<string> => {
    const flag = option === undefined ? undefined : textOption(invocation, option)
    return flag ?? (asks ? await ask(question, world) : question.preset)
  }
  const name = await value({
    option: 'name',
    text: 'Name of the site',
    preset: 'site',
    refuse: (answer) => refusalOf({ name: answer }),
  })
  const pairs = asks ? await askForHosts(value) : given
  const user = await value({
    option: 'user',
    text: 'User to log in as',
    preset: 'root',
    refuse: (answer) => refusalOf({ user: answer }),
  })
  const hosts = pairs.map(hostOf)
  return { name, hosts, user, ...(await network(value, hosts)) }
}

type AskValue = (question: Question) => Promise<string>

async function askForHosts(value: AskValue): Promise<readonly string[]> {
  const first = await value({
    text: 'First host',
    preset: 'h1=10.0.0.11',
    refuse: (answer) => pairRefusal(answer) ?? refusalOf({ hosts: [hostOf(answer), OTHER_HOST] }),
  })
  const second = await value({
    text: 'Second host',
    preset: 'h2=10.0.0.12',
    refuse: (answer) =>
      pairRefusal(answer) ?? refusalOf({ hosts: [hostOf(first), hostOf(answer)] }),
  })
  return [first, second]
}

async function network(
  value: AskValue,
  hosts: Answers['hosts'],
): Promise<Pick<Answers, 'virtualIp' | 'interface' | 'gateway'>> {
  const virtualIp = await value({
    option: 'virtualIp',
    text: 'Virtual IP with prefix, or none',
    preset: 'none',
    refuse: (answer) => (answer === 'none' ? undefined : refusalOf({ hosts, virtualIp: answer })),
  })
  const networkInterface =
    virtualIp === 'none'
      ? 'eth0'
      : await value({
          option: 'interface',
          text: 'Network interface',
          preset: 'eth0',
          refuse: (answer) => refusalOf({ hosts, virtualIp, interface: answer }),
        })
  const gateway = await value({
    option: 'gateway',
    text: 'Gateway, or none',
    preset: 'none',
    refuse: (answer) => (answer === 'none' ? undefined : refusalOf({ hosts, gateway: answer })),
  })
  return {
    virtualIp: virtualIp === 'none' ? undefined : virtualIp,
    interface: networkInterface,
    gateway: gateway === 'none' ? undefined : gateway,
  }
}

/** Until the answer can be, or nobody answers any more. */
async function ask(
  { text, preset, refuse }: Question,
  { questions, stderr }: World,
): Promise<string> {
  for (let asked = 0; asked < ASKED_AT_MOST; asked += 1) {
    const answer = await questions.ask(`${text} [${preset}] `)
    if (answer === undefined) return preset
    const value = answer.trim() === '' ? preset : answer.trim()
    const refusal = refuse(value)
    if (refusal === undefined) return value
    stderr.write(`${refusal}\n`)
  }
  throw new TwonodeError('E_USAGE', `no answer to "${text}" that can be`, {
    hint: 'Pass the answers as options: twonode init --help.',
  })
}

/** Stands in for a host that has not been asked for yet. */
const OTHER_HOST = { name: 'the-other-one', address: '192.0.2.254' }

const TWO_HOSTS = [
  { name: 'one', address: '192.0.2.253' },
  { name: 'two', address: '192.0.2.254' },
]

/** What an inventory with these answers, and nothing unusual beside them, is refused for. */
function refusalOf(some: Partial<Answers>): string | undefined {
  const usual: Answers = {
    name: 'site',
    hosts: TWO_HOSTS,
    user: 'root',
    virtualIp: undefined,
    interface: 'eth0',
    gateway: undefined,
  }
  try {
    parseInventory(inventoryText({ ...usual, ...some }), 'inventory.yaml')
    return undefined
  } catch (error) {
    return troublesOf(error)
      .map(({ message }) => message)
      .join('\n')
  }
}

function pairRefusal(pair: string): string | undefined {
  return PAIR.test(pair) ? undefined : `"${pair}" is no host: write NAME=ADDRESS`
}

const PAIR = /^([^=\s]+)=([^=\s]+)$/

function hostOf(pair: string): { readonly name: string; readonly address: string } {
  const found = PAIR.exec(pair)
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
# Tells a host "I am cut off" from "my peer is gone": a router, say, that both reach. Without one a
# leader that loses its network goes on alone while the other host takes over; what one of the two
# acknowledges then is set aside.
${gateway === undefined ? '# gateways: ["10.0.0.1"]\n' : `gateways: [${scalar(gateway)}]\n`}
# The two binaries are those of these releases: this machine fetches them once, and holds them to the
# sums that are published with them. Files of your own: { path: k3s }.
kine: { version: ${KINE_RELEASE} }
k3s: { version: ${K3S_RELEASE} }
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
