import { createInterface } from 'node:readline/promises'
import { EXIT, type ExitCode, TwonodeError } from '../../core/errors.ts'
import type { Json, JsonObject } from '../../core/json.ts'
import type { Difference } from '../../salvage/object_words.ts'
import { askAgent, CONTROL_SOCKET } from '../control_socket.ts'
import type { TypedCommand } from '../host_program.ts'
import type { Output } from '../local_commands.ts'
import { hostKubectl, type Kubectl, refuseWithoutApi } from './cluster.ts'
import { differencesOf } from './differences.ts'
import { findSalvage, readSalvages, refuseAltered, type Salvaged, settle } from './folders.ts'
import { replay, replayPlan } from './replay.ts'
import { readWords, type SalvageWords } from './words.ts'
import { diffLines, gapOf, listLine, showLines } from './text.ts'

/** What the command is given of the machine. */
export interface SalvageWorld {
  readonly socket: string
  readonly kubectl: Kubectl
  /** Null: nobody sits there. */
  readonly confirm: (question: string) => Promise<boolean | null>
}

const WORLD: SalvageWorld = { socket: CONTROL_SOCKET, kubectl: hostKubectl, confirm: atTerminal }

/** What every action is done with. */
interface Turn {
  readonly world: SalvageWorld
  readonly words: SalvageWords
  readonly place: { readonly directory: string; readonly site: string; readonly host: string }
  /** One line for people, or its data. */
  readonly say: (text: string, data: JsonObject) => void
}

const ACTIONS: Readonly<Record<SalvageWords['action'], (turn: Turn) => Promise<void>>> = {
  list,
  show,
  diff,
  replay: replayChosen,
  discard,
}

/** `twonode salvage` on a host: what its losing branches had, and what becomes of it. */
export async function runSalvage(
  typed: TypedCommand,
  out: Output,
  world = WORLD,
): Promise<ExitCode> {
  const words = readWords(typed)
  const place = await placeOf(world.socket)
  const say = (text: string, data: JsonObject) =>
    out.write(words.json ? `${JSON.stringify({ ...data, text })}\n` : `${text}\n`)
  await ACTIONS[words.action]({ world, words, place, say })
  return EXIT.done
}

/** The agent knows whose host this is, and keeps the journal of what is done here. */
async function placeOf(socket: string): Promise<Turn['place']> {
  let found: JsonObject = {}
  await askAgent(socket, { command: 'salvage', options: { action: 'where' } }, (data) => {
    found = data
  })
  const text = (name: string) => textOf(found[name])
  return { directory: text('directory'), site: text('site'), host: text('host') }
}

async function tell(
  { world }: Turn,
  name: string,
  { what, words }: { readonly what: string; readonly words: string },
): Promise<void> {
  const options = { action: 'tell', name, what, words }
  await askAgent(world.socket, { command: 'salvage', options }, () => {})
}

async function list({ place, say }: Turn): Promise<void> {
  const { salvages, unusable } = await readSalvages(place.directory, place.site)
  if (salvages.length + unusable.length === 0)
    say('nothing was saved on this host: none of its branches has lost', { salvages: 0 })
  for (const salvaged of salvages) {
    const { name, manifest, settled } = salvaged
    const { branch, exact, at, counts } = manifest
    const data = { name, branch, at, exact, counts: { ...counts } }
    say(listLine(salvaged), { ...data, settled: settled?.kind ?? null })
  }
  for (const { name, why } of unusable) say(`${name}: can not be used: ${why}`, { name, why })
}

async function show({ place, words, say }: Turn): Promise<void> {
  const salvaged = await findSalvage(place, words.name)
  const { name, manifest, settled } = salvaged
  const data = JSON.parse(JSON.stringify({ name, ...manifest, settled })) as JsonObject
  say((await showLines(salvaged)).join('\n'), data)
}

async function diff({ world, place, words, say }: Turn): Promise<void> {
  const salvaged = await findSalvage(place, words.name)
  await refuseAltered(salvaged)
  await refuseWithoutApi(world.kubectl)
  const differences = await differencesOf(salvaged, world.kubectl)
  for (const { text, data } of diffLines(salvaged, differences)) say(text, data)
}

async function replayChosen(turn: Turn): Promise<void> {
  const { world, place, words, say } = turn
  const { kubectl } = world
  const salvaged = await findSalvage(place, words.name)
  await refuseAltered(salvaged)
  await refuseWithoutApi(kubectl)
  const plan = replayPlan(await differencesOf(salvaged, kubectl), words.all ? 'all' : words.objects)
  for (const line of plan.left) say(`not replayed: ${line}`, { left: line })
  const { applies, deletes } = plan
  const names = [
    ...applies.map(({ name }) => name),
    ...deletes.map(({ name }) => `${name} (deleted)`),
  ]
  if (names.length === 0) {
    say('nothing is left to replay: the cluster has it', { replayed: [] })
    if (!words.dryRun) await settleIfDone(turn, salvaged)
    return
  }
  for (const line of [...applies, ...deletes].flatMap((one) => one.words)) say(line, { will: line })
  const options = { force: words.force, dryRun: true }
  await replay(kubectl, plan, options)
  if (words.dryRun)
    return say(`the API server would take ${counted(names)}`, { wouldReplay: names })
  await mustAgree(turn, `replay ${counted(names)} into the cluster as it is now?`)
  await replay(kubectl, plan, { ...options, dryRun: false })
  await tell(turn, salvaged.name, { what: 'replayed', words: names.join(', ') })
  say(`replayed: ${names.join(', ')}`, { replayed: names })
  await settleIfDone(turn, salvaged)
}

function isLeft({ kind, salvaged }: Difference): boolean {
  return kind !== 'same' && salvaged.class === 'spec'
}

/** All that somebody wanted is in the cluster: nobody has to look at it again. */
async function settleIfDone(turn: Turn, salvaged: Salvaged): Promise<void> {
  const left = await differencesOf(salvaged, turn.world.kubectl)
  const names = left.filter(isLeft).map(({ name }) => name)
  const { name, settled, manifest } = salvaged
  if (names.length > 0)
    return turn.say(`still only in the salvage: ${names.join(', ')}`, { waiting: names })
  // What it has not is in the old table only, which goes with a branch that is settled.
  const gap = gapOf(manifest)
  if (gap !== null)
    return turn.say(
      `${name}: all that was saved is in the cluster, and nobody knows of the rest: ${gap}. It waits for \`twonode salvage discard ${name}\`, and its old table stays until then`,
      { waiting: [], gap },
    )
  if (settled === null)
    await settle(salvaged, { kind: 'replayed', at: new Date().toISOString(), by: 'operator' })
  turn.say(`${name}: all that the losing side wanted is in the cluster`, { waiting: [] })
}

async function discard(turn: Turn): Promise<void> {
  const { place, words, say } = turn
  const salvaged = await findSalvage(place, words.name)
  const { name, settled, manifest } = salvaged
  if (settled?.kind === 'discarded')
    throw new TwonodeError('E_SALVAGE', `${name} was discarded at ${settled.at} already`)
  const { objects } = manifest.counts.spec
  const gap = gapOf(manifest)
  const losses = [
    ...(settled === null && objects > 0
      ? [`${counted(objects)} that somebody changed there will not be known any more. `]
      : []),
    ...(gap === null ? [] : [`What was not saved goes with its old table: ${gap}. `]),
  ]
  await mustAgree(
    turn,
    losses.length === 0 ? `discard ${name}?` : `${losses.join('')}Discard ${name}?`,
  )
  await settle(salvaged, { kind: 'discarded', at: new Date().toISOString(), by: 'operator' })
  await tell(turn, name, { what: 'discarded', words: 'by an operator; its record stays' })
  say(`discarded: ${name}; its old table goes when the copy of the leader's is verified`, {
    discarded: name,
  })
}

async function mustAgree({ world, words }: Turn, question: string): Promise<void> {
  if (words.yes) return
  const answer = await world.confirm(question)
  if (answer === true) return
  if (answer === false) throw new TwonodeError('E_INTERRUPTED', 'nothing was done')
  throw new TwonodeError('E_USAGE', `nobody is here to be asked: ${question}`, {
    hint: 'Pass --yes.',
  })
}

async function atTerminal(question: string): Promise<boolean | null> {
  if (!process.stdin.isTTY) return null
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim())
  } finally {
    lines.close()
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function counted(of: number | readonly string[]): string {
  const count = typeof of === 'number' ? of : of.length
  return count === 1 ? 'one object' : `${count} objects`
}
