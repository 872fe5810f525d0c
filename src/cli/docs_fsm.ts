import { KEEPING, TAKING } from '../pair/claim.ts'
import { CONDITIONS } from '../pair/conditions.ts'
import type { Goal } from '../pair/facts.ts'
import { type Rule, RULES, SIGHT_TABLE } from '../pair/fsm.ts'
import { GOALS } from '../pair/goals.ts'
import { POWER_STEPS } from '../pair/power.ts'
import { PROOF_UNUSED_MS } from '../pair/proof_age.ts'
import {
  FLAP_LIMIT,
  HAND_OVER_PAUSE_MAX_MS,
  HAND_OVER_PAUSE_MS,
  POWER_AGAIN_MAX_MS,
  POWER_AGAIN_MS,
  timingOf,
} from '../pair/timing.ts'
import { page, table } from './docs_markdown.ts'

/** The agent's decisions: the table that it runs on, and a picture of it. */
export function fsmPage(): string {
  return page('What the agent decides', [
    'Once in each `liveness.interval` the agent on a host looks at its peer, its gateways and itself, and takes the first row of the table whose conditions all hold. The id of the row is in the journal with every decision; ids in brackets name the experiment behind a rule. A leader is the host that its own hostMeta names.',
    '## Rules',
    table(
      ['rule', 'role', 'when', 'goal', 'why'],
      RULES.map(({ id, role, when, goal, why }) => [
        `\`${id}\``,
        role,
        when.map((name) => CONDITIONS[name].words).join('; ') || 'always',
        goal,
        why,
      ]),
    ),
    '## Roles and modes',
    `\`\`\`mermaid\n${diagram()}\n\`\`\``,
    '## Who sees what',
    'For a pair that is whole when the cut comes. *G* is the gateway, *P* the peer.',
    table(
      ['leader G/P', 'follower G/P', 'leader', 'follower', 'what happens'],
      SIGHT_TABLE.map((row) => [
        row.leader.lost === true
          ? 'peer answers, commits do not'
          : `${sign(row.leader.gateway)}/${sign(row.leader.peer)}`,
        row.leader.lost === true
          ? 'any'
          : `${sign(row.follower.gateway)}/${sign(row.follower.peer)}`,
        `\`${row.rules.leader}\``,
        `\`${row.rules.follower}\``,
        row.outcome,
      ]),
    ),
    '## Goals',
    'Nothing is done but by hostMeta and the tasks of `role.yaml` with these tags. Urgent: whoever holds the lock of the host is ended first. A goal of a higher rank ends what is under way for a lower one.',
    table(
      ['goal', 'rank', 'tags', 'urgent', 'hostMeta before', 'hostMeta after'],
      Object.entries(GOALS)
        .filter(([, { tags }]) => tags !== null)
        .map(([goal, { rank, tags, urgent, before, after }]) => [
          goal,
          String(rank),
          (tags ?? []).map((tag) => `\`${tag}\``).join(', '),
          urgent ? 'yes' : 'no',
          before,
          after,
        ]),
    ),
    '## The claim',
    ...claimTexts(),
    '## The power-off',
    ...powerTexts(),
    '## Times',
    timesText(),
  ])
}

/** What becomes of the object at the witness (A4). */
function claimTexts(): readonly string[] {
  return [
    "Under `partition: consistency` whoever goes alone without a void proof of its peer, or promotes, wins the claim at the witness first, by one compare-and-swap that it reads back; an operator's `--force` moves it and does not wait for it. No answer is never a win. What the host that asks makes of the claim that it reads, first row that fits:",
    table(
      ['row', 'then', 'why'],
      TAKING.map(({ id, verdict, why }) => [`\`${id}\``, verdict, why]),
    ),
    'What is written in the background, for which nothing waits; whatever no row fits stays as it is:',
    table(
      ['row', 'why'],
      KEEPING.map(({ id, why }) => [`\`${id}\``, why]),
    ),
  ]
}

/** What becomes of an attempt at the other host's power. */
function powerTexts(): readonly string[] {
  return [
    `Where the site has \`fencing\` in place of a witness, whoever goes alone without a void proof of its peer, or promotes, powers it off first, and sees that it is. It proves that the other host takes no writes now, and nothing of what it did before: a leader that boots alone waits for its peer, or for an operator. A follower tries \`followerDelay\` later than it would promote; an attempt that proved nothing is made again after ${POWER_AGAIN_MS / 1000} s, and after twice as long each time, ${POWER_AGAIN_MAX_MS / 1000} s at most. First row that fits:`,
    table(
      ['row', 'then', 'why'],
      POWER_STEPS.map(({ id, step, why }) => [`\`${id}\``, step, why]),
    ),
  ]
}

function sign(seen: boolean): string {
  return seen ? '+' : '−'
}

function timesText(): string {
  const { failures, probeTimeoutMs, fenceMs, promoteMs, lateMs } = timingOf({
    intervalMs: 1000,
    failures: 4,
  })
  return [
    `Fence time = (failures − 1) × interval (${fenceMs} ms by default), counted by the leader from the sending of the last probe that was answered. Promote time = failures × interval (${promoteMs} ms), counted by the follower from the arrival of the last answer, and not before ${failures} looks have ended since which nothing that was sent was answered: a leader whose power fails is gone for its follower after ${promoteMs} ms on the average, and after ${promoteMs + probeTimeoutMs} ms at most. A round that is late by the fence time, but at least 3 s (${lateMs} ms), makes a leader kill kine first.`,
    'A site without `gateways` takes its gateway for always up: its hosts can not tell that they are cut off from that their peer is dead.',
    'A leader that loses gateway and peer at once has stopped before its follower leads, whatever the phases of their rounds. If the peer goes first, an `availability` leader is alone already when the gateway goes too, and both write until it stops.',
    `A proof outlives its leader's silence by ${PROOF_UNUSED_MS / 1000} s: what a pause, a full disk or the flap guard has held up for longer is no promotion any more, for the leader may only be cut off and acknowledge alone since. It counts again when the leader says that they are paired, and \`twonode promote --force\` is the operator's word.`,
    'A gateway that is dead for both hosts changes nothing while they hear each other: a leader that can not serve does not yield then, and who of them dies is not replaced until the gateway is back. A follower that saw neither its leader nor a gateway for two looks does not promote then either: a leader that still saw the gateway may have gone alone. The leader, or an operator, has the word.',
    'A leader whose own gateway is dead, while its peer sees one, hands over by agreement: whoever comes through the gateway reaches the peer and not it. It stays if the pair is not whole, paused or frozen: it serves, and hands over when that is past.',
    `A hand-over that fails when both kines stand still, for the digests of the two tables differ, say, has cost the API some seconds, and its reason may last. The next one for the gateway waits ${HAND_OVER_PAUSE_MS / 1000} s, twice as long after each further failure in the same term, and ${HAND_OVER_PAUSE_MAX_MS / 1000} s at most; \`twonode status\` says *hand over put off*, and the timeline why, how often and for how long. An operator's \`twonode switchover\` is tried at once.`,
    `After ${FLAP_LIMIT} changes of leader, or to alone, in an hour the host is frozen: it stays as it is, and still stops, follows and goes alone where safety asks for it, until \`twonode resume\` or an hour of calm.`,
  ].join('\n\n')
}

/** States of the picture, by what a rule asks for. */
const STATES = { follower: 'Follower', paired: 'Paired', alone: 'Alone', impaired: 'Impaired' }

const TARGETS: Partial<Record<Goal, keyof typeof STATES>> = {
  promote: 'alone',
  'go-alone': 'alone',
  pair: 'paired',
  impair: 'impaired',
  yield: 'impaired',
  'hand-over': 'follower',
  adopt: 'follower',
}

/** Mermaid: what moves a host from one state to another, by rule. */
function diagram(): string {
  const edges = new Map<string, string[]>()
  for (const rule of RULES)
    for (const [from, to] of movesOf(rule)) {
      const edge = `${STATES[from]} --> ${STATES[to]}`
      edges.set(edge, [...(edges.get(edge) ?? []), rule.id])
    }
  return [
    'stateDiagram-v2',
    '  Follower: follower',
    '  Paired: leader, paired',
    '  Alone: leader, alone',
    '  Impaired: leader, impaired',
    ...[...edges].map(([edge, ids]) => `  ${edge}: ${ids.join(', ')}`),
  ].join('\n')
}

type State = keyof typeof STATES

function movesOf({ role, when, goal }: Rule): readonly (readonly [State, State])[] {
  const leading = (['paired', 'alone'] as const).filter(
    (mode) => !when.includes(mode === 'paired' ? 'alone' : 'paired'),
  )
  if (goal === 'recover') return leading.map((mode) => ['impaired', mode])
  const to = TARGETS[goal]
  if (to === undefined) return []
  const from: readonly State[] =
    role === 'follower'
      ? ['follower']
      : when.includes('impairedOrUnproven')
        ? ['impaired']
        : [...leading, ...(goal === 'adopt' ? (['impaired'] as const) : [])]
  return from.filter((state) => state !== to).map((state) => [state, to])
}
