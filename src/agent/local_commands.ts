import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { askAgent, CONTROL_SOCKET } from './control_socket.ts'
import { answersOf, followSwitchover, toldUntilNow } from './follow_switchover.ts'
import { begunFrom } from '../pair/switchover.ts'
import type { TypedCommand } from './host_program.ts'
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

/** One line of the agent's answer, for people; the other commands answer with a message. */
const TEXTS: Readonly<Record<string, (data: JsonObject) => string>> = {
  status: statusText,
  timeline: ({ text }) => wordsOf(text),
}

/** Runs one command of this host that is all its agent's work: asks it, and prints the answer. */
export async function runLocalCommand(
  typed: TypedCommand,
  out: Output,
  { socket = CONTROL_SOCKET, over = NEVER, ask = nobody }: LocalWorld = {},
): Promise<ExitCode> {
  const { name, json } = typed
  const text = TEXTS[name] ?? said
  const options = askedOf(typed)
  const say = (data: JsonObject) =>
    out.write(json ? `${JSON.stringify(data)}\n` : `${text(data)}\n`)
  if (name === 'promote') await promote(options, { socket, ask, say })
  else if (name === 'switchover') await switchOver(options, { socket, over, say })
  else await askAgent(socket, { command: name, options }, say)
  return EXIT.done
}

/** What was typed, as an agent calls it. */
function askedOf({ name, words, options }: TypedCommand): JsonObject {
  switch (name) {
    case 'timeline':
      return options['lines'] === undefined
        ? options
        : { ...options, lines: countOf(options['lines']) }
    case 'replace': {
      const { host, ...others } = options
      return { ...others, ...(host === undefined ? {} : { name: host }) }
    }
    case 'token': {
      const [action = '', id] = words
      return { ...options, action, ...(id === undefined ? {} : { id }) }
    }
    case 'witness': {
      const [action = 'show'] = words
      if (action === 'show') return options
      throw new TwonodeError('E_USAGE', `witness has no ${action}`)
    }
    default:
      return options
  }
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
    const answer = await ask('Type yes to lead nevertheless: ')
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

function countOf(text: Json): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new TwonodeError('E_USAGE', '--lines takes a whole number from 1')
}

function said({ message }: JsonObject): string {
  return wordsOf(message)
}

function wordsOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}
