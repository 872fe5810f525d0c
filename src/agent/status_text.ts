import { isObject, type Json, type JsonObject } from '../core/json.ts'
import { wayOut } from './operator_words.ts'

/** An agent's status for people: a verdict, and what means something for the role. */
export function statusText(status: JsonObject): string {
  const lines = [...standingLines(status), ...sightLines(status), ...troubleLines(status)]
  const width = Math.max(...lines.map(([name]) => name.length))
  const table = lines.map(([name, words]) => `${name.padEnd(width)}  ${words}`)
  return [`${textOf(status['host'])}: ${verdict(status)}`, ...table].join('\n')
}

type Line = readonly [name: string, words: string]

/** Well or not, as what, and why. */
function verdict(status: JsonObject): string {
  const { rule, why } = status
  const reason = rule === 'steady' ? '' : `; ${textOf(why)} [${textOf(rule)}]`
  return `${standing(status)}${reason}`
}

function standing(status: JsonObject): string {
  const { role, mode, impaired, settled, stream, promotable, copying, leader } = status
  if (role === null) return 'waits: it has no hostMeta'
  if (role === 'replaced') return 'stands down: another host has its place'
  const isSettled = settled === 'yes'
  if (role === 'leader') {
    if (impaired === true) return 'not well: it leads, and takes no writes'
    if (!isSettled) return 'settling: it leads'
    if (mode === 'paired' && stream !== 'lost')
      return 'well: it leads, and every acknowledged write is on both hosts'
    if (mode === 'paired') return 'not well: it leads, and its writes wait for the other host'
    return 'not whole: it leads alone, and acknowledged writes are on this host only'
  }
  if (copying === true) return `not whole: it copies the table of ${textOf(leader)}`
  if (promotable === true && isSettled)
    return `well: it follows ${textOf(leader)}, and could take over`
  if (promotable === true) return `settling: it follows ${textOf(leader)}, and could take over`
  return `not whole: it follows ${textOf(leader)}, and could not take over without loss`
}

function standingLines(status: JsonObject): readonly Line[] {
  const { role, leader, mode, term, branch, paused, peerPaused } = status
  const peer = peerPaused === null ? 'not known' : yesOrNo(peerPaused)
  return [
    ['role', role === 'follower' ? `follower of ${textOf(leader)}` : textOf(role)],
    ['mode', `${textOf(mode)}, term ${textOf(term)}, branch ${textOf(branch)}`],
    [
      'paused',
      `this host: ${paused === true ? textOf(status['pauseEnds']) : 'no'}, its peer: ${peer}`,
    ],
  ]
}

const PEER_WORDS: Readonly<Record<string, string>> = {
  answers: 'answers',
  missed: 'missed one look',
  silent: 'silent',
  cut: 'nothing of it is heard, for the fence time',
  gone: 'gone: nothing of it is heard, for the promote time',
}

const STREAM_WORDS: Readonly<Record<string, string>> = {
  'caught-up': 'has everything',
  behind: 'behind',
  lost: 'does not acknowledge',
}

const ROOM_WORDS: Readonly<Record<string, string>> = {
  low: 'ok, with little room left',
  tight: 'almost full: a leader that is alone keeps no WAL for its follower',
}

function sightLines(status: JsonObject): readonly Line[] {
  const { role, peer, gateway, postgres, disk, room, stream, followersSlot, slot } = status
  const { impaired, reads } = status
  const lines: Line[] = [
    ['peer', PEER_WORDS[textOf(peer)] ?? textOf(peer)],
    ['gateway', gateway === 'up' ? 'answers' : textOf(gateway)],
    ['PostgreSQL', textOf(postgres)],
    ['disk', disk === 'ok' && room !== 'ok' ? (ROOM_WORDS[textOf(room)] ?? 'ok') : textOf(disk)],
  ]
  if (role === 'leader')
    lines.push(
      ['follower', STREAM_WORDS[textOf(stream)] ?? textOf(stream)],
      ["follower's slot", `${textOf(followersSlot)}${slot === 'ok' ? '' : `, ${textOf(slot)}`}`],
    )
  if (role === 'leader' && impaired === true && reads === 'served')
    lines.push([
      'reads',
      'answered on this host alone: `k3s kubectl get` here. They may be old, for the other host may have gone on; every change is refused',
    ])
  lines.push(...witnessLines(status))
  const { keptAside } = status
  const kept = Array.isArray(keptAside) ? keptAside : []
  if (kept.length > 0)
    lines.push([
      'kept aside',
      `${kept.length === 1 ? 'one table' : `${kept.length} tables`} of other histories, in PostgreSQL's schema ${kept.map(textOf).join(', ')}: writes that the cluster does not have may be there`,
    ])
  return [...lines, ...salvageLines(status['salvages'])]
}

/** What losing branches had on this host, and nobody has decided upon. */
function salvageLines(salvages: Json | undefined): readonly Line[] {
  const named = (of: 'waiting' | 'unusable') => {
    const list = isObject(salvages) ? salvages[of] : []
    return Array.isArray(list) ? list.map((name) => textOf(name as Json)) : []
  }
  const [waiting, unusable] = [named('waiting'), named('unusable')]
  const lines: Line[] = []
  if (waiting.length > 0)
    lines.push([
      'salvage',
      `what only this host had waits to be looked at: \`twonode salvage diff ${waiting[0] ?? ''}\`${waiting.length > 1 ? ` and ${waiting.length - 1} more` : ''}`,
    ])
  if (unusable.length > 0) lines.push(['salvage', `can not be used: ${unusable.join(', ')}`])
  return lines
}

/** Under consistency the witness, or fencing, is needed when the peer is not there any more. */
function witnessLines(status: JsonObject): readonly Line[] {
  const { partition, witness, claim, witnessTrouble, fencing } = status
  if (partition !== 'consistency') return []
  if (typeof fencing === 'string') return [['fencing', fencingText(status)]]
  if (witness === 'answers') return [['witness', `answers, and keeps: ${textOf(claim)}`]]
  if (witness !== 'silent') return [['witness', 'was not asked yet']]
  const why = textOf(witnessTrouble)
  return [
    [
      'witness',
      `gives no answer that can be relied on (${why}); until it does nobody takes over from the other host`,
    ],
  ]
}

function fencingText({ fencing, fencingTrouble }: JsonObject): string {
  if (fencing === 'answers') return "the other host's power can be asked after"
  if (fencing !== 'silent') return 'was not asked yet'
  return `can not be relied on (${textOf(fencingTrouble)}); until it can nobody takes over from the other host`
}

/** What is worth a line only while it holds. */
const TROUBLES: readonly (readonly [name: string, holds: Json, words: string])[] = [
  ['initialised', false, 'this host never belonged to a pair'],
  ['frozen', true, 'too many changes in an hour: it begins none until `twonode resume`'],
  ['siteReplaced', true, 'the site on this host was replaced: it is about to start anew with it'],
  ['metaDoubtful', true, "the newest hostMeta can't be read: an older one is used"],
  ['late', true, 'its last round was late'],
  ['agentGone', true, "the peer's agent has been silent for 20 s or longer"],
  ['handOverHeld', true, 'a hand-over was refused a moment ago, or is being answered'],
  ['handOverPutOff', true, 'a hand-over failed; the next attempt waits'],
  ['voidRefused', true, 'the peer answers, and does not confirm that it gives up its proof'],
  ['unbegun', 'untouched', 'it was handed the lead, and has not begun its branch'],
  ['unbegun', 'given-back', 'it has given back the lead that it was handed'],
]

function troubleLines(status: JsonObject): readonly Line[] {
  const found = TROUBLES.filter(([name, holds]) => status[name] === holds)
  const lines = found.map(([, , words]): Line => ['note', words])
  const { siteRefused } = status
  if (typeof siteRefused === 'string') lines.push(['note', siteRefused])
  // On a follower it says nothing: only a leader has to prove that it leads.
  if (status['role'] === 'leader' && status['proven'] === false)
    lines.push(['note', 'nothing proves that no other host leads'])
  const way = wayOut(textOf(status['rule']), isWitnessed(status))
  return way === undefined ? lines : [...lines, ['way out', way]]
}

function isWitnessed({ partition, fencing }: JsonObject): boolean {
  return partition === 'consistency' && typeof fencing !== 'string'
}

function yesOrNo(value: Json | undefined): string {
  return value === true ? 'yes' : 'no'
}

function textOf(value: Json | undefined): string {
  if (value === null || value === undefined) return 'none'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
