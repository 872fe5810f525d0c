import { isObject, type Json, type JsonObject } from '../core/json.ts'
import type { PeerSays } from '../pair/facts.ts'
import { wayOut } from './operator_words.ts'

/** What this host is now, on one line: for `systemctl status`. */
export function standing(self: string, { meta, impaired, paused, settled }: PeerSays): string {
  if (meta === null) return 'no hostMeta'
  const { leader, mode, term } = meta
  const role = leader === self ? 'leader' : `follower of ${leader}`
  const flags = { impaired, paused, 'not settled': !settled }
  const more = Object.entries(flags).flatMap(([name, holds]) => (holds ? [name] : []))
  return [role, mode, `term ${term}`, ...more].join(', ')
}

/** One line of a journal of decisions: when, where, what, why. */
export function timelineLine(entry: JsonObject): string {
  const at = valueText(entry['at']).replace('T', ' ').replace('Z', '')
  return `${at}  ${valueText(entry['host']).padEnd(8)}  ${eventText(entry)}`
}

function eventText(entry: JsonObject): string {
  const text = (name: string) => valueText(entry[name])
  switch (text('kind')) {
    case 'decision':
      return decisionText(entry)
    case 'meta':
      return `hostMeta: ${text('leader')} leads, term ${text('term')}, branch ${text('branch')}, ${text('mode')}`
    case 'converge':
      return convergeText(entry)
    case 'proof':
      return `proof: term ${text('term')}, voided to ${text('voided')}`
    case 'claim':
      return `claim: ${text('holder')} ${text('mode')}, term ${text('term')}, is asked for at the witness [${text('row')}]`
    case 'power-off':
      return `power-off of the other host [${text('row')}]: ${entry['proven'] === true ? 'seen to be off' : `no proof: ${text('words')}`}`
    case 'newcomer':
      return `newcomer: ${text('name')} (${text('address')}) is let in by join token ${text('token')}`
    case 'set-aside':
      return setAsideText(entry)
    case 'salvage':
      return `salvage ${text('name')} ${text('what')}: ${text('words')}`
    case 'pause':
      return pauseText(entry)
    case 'loss':
      return lossText(entry)
    case 'leave':
      return entry['for'] === undefined
        ? 'stays: an operator says that it does not stop'
        : `is about to stop, for ${text('for')}: its leader goes on alone first`
    case 'agent':
      return `${AGENT_WORDS[text('what')] ?? text('what')}; this host booted ${text('seconds')} s before`
    case 'guard':
      return `no agent was heard for the fence time: the guard stopped kine and gave up the virtual address at ${text('stopped')}`
    case 'room':
      return roomText(entry)
    case 'fault':
      return `fault: ${text('what')}: ${text('message')}`
    default:
      return JSON.stringify(entry)
  }
}

function lossText({ lagBytes, heardAgoMs }: JsonObject): string {
  const behind =
    typeof lagBytes === 'number'
      ? `up to ${lagBytes} bytes, and what came later`
      : 'nobody knows how much'
  const heard =
    typeof heardAgoMs === 'number' ? `${Math.round(heardAgoMs / 1000)} s before` : 'not at all'
  return `promoted without the proof: acknowledged writes may be missing (${behind}); the leader was last heard ${heard}`
}

function pauseText(entry: JsonObject): string {
  if (entry['by'] === 'expiry') return 'the pause is over: its time has passed'
  if (entry['paused'] !== true) return 'resumed by an operator'
  const lasts = entry['for'] === undefined ? '' : `, for ${valueText(entry['for'])}`
  return `paused by an operator${lasts}`
}

function roomText(entry: JsonObject): string {
  const [free, kept, rate] = ['freeBytes', 'keptBytes', 'bytesPerSecond'].map((name) =>
    (Number(entry[name]) / 1024 ** 2).toFixed(0),
  )
  return `room on the disk: ${valueText(entry['room'])}: ${free} MB free, ${kept} MB of WAL kept for the follower, ${rate} MB written a second`
}

const AGENT_WORDS: Readonly<Record<string, string>> = {
  started: 'the agent starts anew',
  booted: 'the agent starts for the first time since the boot',
  ended: 'the agent ends',
}

/** What is done for a goal; nothing is where none is named. */
const DEEDS: Readonly<Record<string, string>> = {
  settle: 'this host puts its role right',
  adopt: 'this host goes by it from now on',
  promote: 'this host promotes itself',
  'go-alone': 'this host goes on alone',
  pair: 'this host makes the pair',
  impair: 'this host takes no more writes',
  recover: 'this host serves again',
  'hand-over': 'this host hands over',
  yield: 'this host lets its peer lead',
  'hand-back': 'this host gives the lead back',
  'new-slot': 'the follower gets a new slot, and copies',
  'let-go': 'the follower is let go, and copies when there is room again',
  'accept-replacement': 'the new host is taken in',
  thaw: 'changes are counted anew',
  'serve-reads': 'what this host has can be read on it',
  wait: 'this host waits',
}

function decisionText(entry: JsonObject): string {
  const [rule, goal, why] = ['rule', 'goal', 'why'].map((name) => valueText(entry[name]))
  const deed = DEEDS[goal ?? '']
  const times =
    entry['repeated'] === undefined ? '' : ` (${valueText(entry['repeated'])} times more)`
  // Who waits at each boot waits for its peer, and not yet for a person.
  const way = goal === 'wait' || goal === 'serve-reads' ? undefined : wayOut(rule ?? '', false)
  const out = way === undefined ? '' : `; the way out: ${way}`
  return `${why}${deed === undefined ? '' : `: ${deed}`}${out}${times} [${rule}]`
}

/** What role.yaml says on a follower that is quicker than its leader: so in each good switchover. */
const NOT_BEGUN = 'the leader has not written the marker of its branch yet'

function convergeText(entry: JsonObject): string {
  const text = (name: string) => valueText(entry[name])
  const what = `converge ${text('tags')}`
  if (entry['outcome'] === 'failed' && text('message').includes(NOT_BEGUN))
    return `${what}: waits for the leader to begin its branch, and is tried again`
  const message = entry['message'] == null ? '' : `: ${text('message')}`
  return `${what}: ${text('outcome')} in ${text('ms')} ms${message}`
}

function setAsideText(entry: JsonObject): string {
  const { led } = entry
  const [schema, why] = [valueText(entry['schema']), valueText(entry['why'])]
  const what = `table set aside: what this host had is kept in PostgreSQL's schema ${schema}, and a copy of the leader's takes its place (${why})`
  if (!isObject(led)) return `${what}; what of it only this host had is not known`
  const since = `branch ${valueText(led['branch'])}, since ${valueText(led['since'])} or earlier`
  return led['mode'] === 'alone'
    ? `${what}; this host acknowledged writes alone (${since}): they are there, and not in the cluster any more`
    : `${what}; this host led in mode paired (${since}): what it acknowledged the new leader has, what was under way is there`
}

function valueText(value: Json | undefined): string {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.map(valueText).join(' ')
  if (typeof value === 'object') return JSON.stringify(value)
  return String(value)
}

/** Of a message to the peer, envelope and quoting left aside. @unit characters */
const FITTING = 48 * 1024

/** As many of the last lines as fit in a message to the peer. */
export function newestFitting(lines: readonly unknown[]): readonly JsonObject[] {
  const kept: JsonObject[] = []
  let left = FITTING
  for (const line of lines.toReversed()) {
    const text = JSON.stringify(line)
    left -= text.length
    if (left < 0) break
    kept.unshift(JSON.parse(text) as JsonObject)
  }
  return kept
}
