import { mergeAccounts } from '../core/accounts.ts'
import { TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { postgresOf } from '../core/site.ts'
import { decide } from '../pair/fsm.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import { unfitNewcomer, whyNotReplaced } from '../pair/replacement.ts'
import type { AgentParts } from './assemble.ts'
import type { WitnessStanding } from './claims.ts'
import type { PowerStanding } from './power_off.ts'
import type { Answerer, ControlRequest } from './control_socket.ts'
import { readDecisions } from './journal.ts'
import { timelineLine } from './local_text.ts'
import { answerLeave } from './leave_answer.ts'
import { answerPause, answerResume, pauseStanding } from './pause_answers.ts'
import { answerPromote } from './promote_answer.ts'
import { answerSwitchover } from './switchover_answer.ts'
import { taken } from './taken.ts'
import { answerSalvage } from './salvage/answers.ts'
import { answerToken } from './token_answers.ts'
import { answerWitness } from './witness_answer.ts'

/** Lines of a timeline where nobody names another number. */
const LINES = 100

/** More than this is no account that a person reads. */
const MOST_LINES = 5_000

/** Of an agent, what its answers are made of. */
export interface ControlParts extends Pick<
  AgentParts,
  'core' | 'clock' | 'site' | 'faults' | 'journalFolder' | 'tokens' | 'secrets'
> {
  readonly store: Pick<AgentParts['store'], 'pause'>
  readonly journal: Pick<AgentParts['journal'], 'flush' | 'note'>
  readonly client: Pick<AgentParts['client'], 'decisions'>
  readonly salvages: Pick<AgentParts['salvages'], 'summary'>
  readonly comparison: Pick<AgentParts['comparison'], 'ask'>
}

type Say = (data: JsonObject) => void
type Answer = (parts: ControlParts, options: JsonObject, say: Say) => Promise<void>

/** What the local command line may ask. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  status: async (parts, _, say) => say(await statusOf(parts)),
  timeline,
  pause: answerPause,
  resume: answerResume,
  leave: answerLeave,
  promote: answerPromote,
  switchover: answerSwitchover,
  replace,
  token: answerToken,
  salvage: answerSalvage,
  compare,
  witness: answerWitness,
}

/** Whether the follower is a copy, by what both hosts have now (A7). */
async function compare({ core, comparison }: ControlParts, _: JsonObject, say: Say): Promise<void> {
  const { self, meta } = core.facts()
  if (meta === null || meta.leader !== self)
    throw new TwonodeError('E_FAILED', `${self} does not lead: a leader compares`, {
      hint: `Ask ${meta?.leader ?? 'its peer'}.`,
    })
  if (meta.mode !== 'paired')
    return say({ same: null, message: `${self} leads alone: there is no copy to compare with` })
  const found = await comparison.ask()
  if (found === 'differs')
    throw new TwonodeError('E_UNHEALTHY', "the follower's table is not the leader's", {
      hint: 'Seen so again in half a minute, it is copied anew, and its own kept aside: `twonode timeline`.',
    })
  const words =
    found === 'same'
      ? 'both hosts have the same objects'
      : 'not known now: the follower gave no answer, or the table was compacted meanwhile'
  say({ same: found === 'same' ? true : null, message: words })
}

/** Another host in the follower's place (B10). That it is refused, and why, is known beforehand. */
async function replace({ core }: ControlParts, options: JsonObject, say: Say): Promise<void> {
  const { for: old, name, address } = options
  if (typeof old !== 'string' || typeof name !== 'string' || typeof address !== 'string')
    throw new TwonodeError('E_USAGE', 'a replacement has a name, an address, and whom it is for')
  const wanted = { old, name, address }
  const facts = core.facts()
  const refused = unfitNewcomer(facts, wanted) ?? whyNotReplaced(facts, wanted)
  if (refused !== null)
    throw new TwonodeError('E_FAILED', `${old} is not replaced: ${refused.message}`, {
      hint: refused.hint,
    })
  taken(await core.ask({ kind: 'replacement', name, address }), say)
}

/** Answers the local command line for this agent. */
export function answerControl(parts: ControlParts): Answerer {
  return async ({ command, options }: ControlRequest, say) => {
    const answer = ANSWERS[command]
    if (answer === undefined)
      throw new TwonodeError('E_USAGE', `this agent knows no command ${command}`)
    await answer(parts, options, say)
  }
}

/** What this agent is, sees and would do next. */
async function statusOf(parts: ControlParts): Promise<JsonObject> {
  const { core, site, faults, salvages } = parts
  const facts = core.facts()
  const { meta, peer, policy: _, asked: __, self, ...others } = facts
  const { rule, why } = decide(facts)
  return {
    host: self,
    site: site.plan.site.name,
    role: meta === null ? null : partOf(self, meta),
    leader: meta?.leader ?? null,
    term: meta?.term ?? null,
    branch: meta?.branch ?? null,
    began: meta?.began ?? null,
    fork: JSON.parse(JSON.stringify(meta?.fork ?? null)) as JsonObject | null,
    mode: meta?.mode ?? null,
    peer: peer.contact,
    ...(await pauseStanding(parts, facts.paused)),
    peerPaused: peer.contact === 'answers' ? peer.says.paused : null,
    ...(JSON.parse(JSON.stringify(others)) as JsonObject),
    followersSlot: meta?.slot ?? null,
    rule,
    why,
    keptAside: core.desk.keptAside(),
    salvages: { ...salvages.summary() },
    partition: site.plan.site.partition,
    ...witnessOf(core.witness),
    ...fencingOf(site, core.desk.power()),
    ...programOf(site, faults),
    peerAsks: core.peerAsks,
  }
}

/** The third party's word, where the site has one. */
function witnessOf(standing: WitnessStanding | null) {
  if (standing === null) return { witness: null, claim: null, witnessTrouble: null }
  const { answers, text } = standing
  return answers
    ? { witness: 'answers', claim: text, witnessTrouble: null }
    : { witness: 'silent', claim: null, witnessTrouble: text }
}

/** What the other host's management controller says of it, where the site has fencing. */
function fencingOf({ plan }: ControlParts['site'], standing: PowerStanding | null) {
  if (plan.site.fencing === null) return { fencing: null, fencingTrouble: null }
  if (standing === null) return { fencing: 'not asked', fencingTrouble: null }
  return standing.answers
    ? { fencing: 'answers', fencingTrouble: null }
    : { fencing: 'silent', fencingTrouble: standing.text }
}

/** What it goes by, which a converge may have replaced a moment ago: then it is about to start anew. */
function programOf(site: ControlParts['site'], faults: ControlParts['faults']) {
  const { bundle, version } = site.plan
  const siteReplaced = site.isReplaced()
  const siteRefused = siteReplaced ? faults.said('site') : null
  const postgresMajor = postgresOf(site.plan.site, site.host).version
  return { bundle, version, postgresMajor, siteReplaced, siteRefused }
}

/** What this host is; one that hostMeta does not name has been replaced (B10). */
function partOf(self: string, { hosts }: HostMeta): string {
  return hosts.find(({ name }) => name === self)?.role ?? 'replaced'
}

/** Our own account and, unless only that is asked for, the peer's as far as it can be had. */
async function timeline(parts: ControlParts, options: JsonObject, say: Say): Promise<void> {
  const { lines = LINES, own } = options
  const most = Math.min(MOST_LINES, Number(lines))
  const { journal, journalFolder, client } = parts
  await journal.flush()
  const ours = (await readDecisions(journalFolder, most)).map(timed)
  const theirs = own === true ? [] : ((await client.decisions()) ?? []).map(timed)
  for (const { data } of mergeAccounts([ours, theirs]).slice(-most))
    say({ ...data, text: timelineLine(data) })
}

function timed(line: unknown): { readonly at: string; readonly data: JsonObject } {
  const data = JSON.parse(JSON.stringify(line)) as JsonObject
  const { at } = data
  return { at: typeof at === 'string' ? at : '', data }
}
