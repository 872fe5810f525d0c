import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { askAgent, CONTROL_SOCKET } from './control_socket.ts'
import { answersOf, followSwitchover, toldUntilNow } from './follow_switchover.ts'
import { begunFrom } from '../pair/switchover.ts'
import { SALVAGE_USAGE } from './salvage/words.ts'
import { statusText } from './status_text.ts'

/** A stream that people or programs read. */
export interface Output {
  write(text: string): void
}

/** Where the agent is asked, and when whoever asks has had enough; tests have their own. */
export interface LocalWorld {
  readonly socket?: string
  /** Ctrl-C. */
  readonly over?: AbortSignal
  /** What a person answers; undefined: nobody is there. */
  readonly ask?: (question: string) => Promise<string | undefined>
}

const nobody = async (): Promise<undefined> => await Promise.resolve(undefined)

const NEVER = new AbortController().signal

interface LocalCommand {
  readonly usage: string
  readonly brief: string
  /** Options that it takes, beside --json. */
  readonly options: readonly string[]
  /** What its words beside options are called. */
  readonly words?: readonly string[]
  /** One line of the agent's answer, for people. */
  readonly text: (data: JsonObject) => string
}

/** What a host's own command line knows; all of it is the agent's work. */
const COMMANDS: Readonly<Record<string, LocalCommand>> = {
  status: {
    usage: 'status [--json]',
    brief: 'What this host is, what it thinks of its peer, and why.',
    options: [],
    text: statusText,
  },
  timeline: {
    usage: 'timeline [--own] [--lines N] [--json]',
    brief: 'What both agents (with --own: this one) decided and changed.',
    options: ['--lines', '--own'],
    text: ({ text }) => wordsOf(text),
  },
  pause: {
    usage: 'pause [--for 1h]',
    brief: 'This host neither promotes itself nor hands over by itself, until resumed.',
    options: ['--for'],
    text: said,
  },
  resume: { usage: 'resume', brief: 'The end of a pause.', options: [], text: said },
  switchover: {
    usage: 'switchover [--to HOST] [--check] [--no-wait]',
    brief: 'On the leader: hand over to the follower, by agreement and without a copy.',
    options: ['--to', '--check', '--no-wait', '--though-paused'],
    text: said,
  },
  compare: {
    usage: 'compare [--json]',
    brief: "On the leader: whether the follower's table is a copy, object by object.",
    options: [],
    text: said,
  },
  leave: {
    usage: 'leave [--for 30m] | leave --end',
    brief: 'On the follower, before it stops: its leader goes on alone, so that no write waits.',
    options: ['--for', '--end'],
    text: said,
  },
  replace: {
    usage: 'replace --for OLD --host NAME --address ADDR',
    brief: 'On a leader that is alone: NAME takes the place of OLD, which is silent for good.',
    options: ['--for', '--host', '--address'],
    text: said,
  },
  token: {
    usage: 'token create [--for OLD] [--ttl 24h] | list | revoke ID',
    brief: 'On the leader: a join token, printed once, by which one new host gets in.',
    options: ['--for', '--ttl'],
    words: ['action', 'id'],
    text: said,
  },
  promote: {
    usage: 'promote [--force] [--yes]',
    brief: 'Lead. With --force whatever the peer may have that is not here: asks, unless --yes.',
    options: ['--force', '--yes'],
    text: said,
  },
}

/** Runs one command of this host: asks its agent and prints the answer. */
export async function runLocalCommand(
  [name = '', ...words]: readonly string[],
  out: Output,
  { socket = CONTROL_SOCKET, over = NEVER, ask = nobody }: LocalWorld = {},
): Promise<ExitCode> {
  if (['--help', '-h', 'help'].includes(name)) {
    out.write(helpText())
    return EXIT.done
  }
  const command = COMMANDS[name]
  if (command === undefined)
    throw new TwonodeError('E_USAGE', `there is no command ${name} on a host`, {
      hint: 'See `twonode --help` here; everything else is run from a laptop.',
    })
  const { json, options } = readOptions(name, command, words)
  const say = (data: JsonObject) =>
    out.write(json ? `${JSON.stringify(data)}\n` : `${command.text(data)}\n`)
  if (name === 'promote') await promote(options, { socket, ask, say })
  else if (name === 'switchover') await switchOver(options, { socket, over, say })
  else await askAgent(socket, { command: name, options }, say)
  return EXIT.done
}

/** What is at risk is said first, and a person says yes to it. */
async function promote(
  options: JsonObject,
  {
    socket,
    ask,
    say,
  }: Required<Pick<LocalWorld, 'socket' | 'ask'>> & { readonly say: (data: JsonObject) => void },
): Promise<void> {
  const { yes, ...asked } = options
  const [risk = {}] = await answersOf(socket, 'promote', { check: true })
  if (asked['force'] === true && risk['message'] !== '') say(risk)
  if (asked['force'] === true && risk['isAtRisk'] === true && yes !== true) {
    const answer = await ask('Type yes to lead without it: ')
    if (answer === undefined)
      throw new TwonodeError('E_USAGE', 'nobody is there to say yes to what may be lost', {
        hint: 'Read what is above, and pass --yes.',
      })
    if (answer.trim() !== 'yes')
      throw new TwonodeError('E_INTERRUPTED', 'nobody said yes: nothing is done')
  }
  await askAgent(socket, { command: 'promote', options: asked }, say)
}

/** Asked for and, unless nobody waits for it, followed to its end. */
async function switchOver(
  options: JsonObject,
  {
    socket,
    over,
    say,
  }: Required<Pick<LocalWorld, 'socket' | 'over'>> & { readonly say: (data: JsonObject) => void },
): Promise<void> {
  const { 'no-wait': noWait, ...asked } = options
  if (noWait === true || asked['check'] === true)
    return await askAgent(socket, { command: 'switchover', options: asked }, say)
  const told = await toldUntilNow(socket)
  const [status = {}] = await answersOf(socket, 'status')
  let plan: JsonObject = {}
  await askAgent(socket, { command: 'switchover', options: asked }, (line) => {
    if (line['kind'] === 'plan') plan = line
    say(line)
  })
  const { from, to, term } = plan
  if (typeof from !== 'string' || typeof to !== 'string') return
  const begun = begunFrom({ from, to, term: Number(term) }, status)
  await followSwitchover(socket, { begun, told }, { say, over })
}

function readOptions(
  name: string,
  { options, usage, words: names = [] }: LocalCommand,
  words: readonly string[],
): { readonly json: boolean; readonly options: JsonObject } {
  const read: Record<string, boolean | number | string> = {}
  const left = [...words]
  const expected = [...names]
  let json = false
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === '--json') json = true
    else if (FLAGS.has(word) && options.includes(word)) read[word.slice(2)] = true
    else if (word === '--lines' && options.includes(word)) read['lines'] = countOf(left.shift())
    else if (word in TEXTS && options.includes(word)) read[TEXTS[word] ?? ''] = textOf(word, left)
    else if (!word.startsWith('-') && expected.length > 0) read[expected.shift() ?? ''] = word
    else throw new TwonodeError('E_USAGE', `${name} takes no ${word}: twonode ${usage}`)
  }
  return { json, options: read }
}

/** Options that are there or not. */
const FLAGS: ReadonlySet<string> = new Set([
  '--force',
  '--own',
  '--check',
  '--no-wait',
  '--though-paused',
  '--end',
  '--yes',
])

/** Options with a text, and what an agent calls them. */
const TEXTS: Readonly<Record<string, string>> = {
  '--for': 'for',
  '--to': 'to',
  '--ttl': 'ttl',
  '--host': 'name',
  '--address': 'address',
}

function textOf(option: string, left: string[]): string {
  const word = left.shift()
  if (word !== undefined && word !== '' && !word.startsWith('--')) return word
  throw new TwonodeError('E_USAGE', `${option} takes a word`)
}

function countOf(word: string | undefined): number {
  const count = Number(word)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new TwonodeError('E_USAGE', '--lines takes a whole number from 1')
}

function said({ message }: JsonObject): string {
  return wordsOf(message)
}

function wordsOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function helpText(): string {
  const lines = Object.values(COMMANDS).map(({ usage, brief }) => `  ${usage.padEnd(60)}${brief}`)
  const join = '  join --host NAME --address ADDR --to LEADER'.padEnd(62)
  const joins = `${join}On a prepared host: reads a join token from stdin, gets in at its boot.`
  const current = `${'  current'.padEnd(62)}Exits 0 when the agent goes by the site that is here, and hears its peer.`
  const salvage = `  ${SALVAGE_USAGE.padEnd(60)}What its losing branches had that the cluster has not.`
  return `twonode on this host:\n${[...lines, joins, current, salvage].join('\n')}\n`
}
