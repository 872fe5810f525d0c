import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONDITIONS } from '../../src/pair/conditions.ts'
import { needsClaim } from '../../src/pair/claim.ts'
import type { Facts, Goal } from '../../src/pair/facts.ts'
import { decide, type Rule, RULES } from '../../src/pair/fsm.ts'
import { GOALS } from '../../src/pair/goals.ts'
import { anyWorld, ASKED, CENTRE } from '../support/any_world.ts'
import { needsPowerOff } from '../../src/pair/power.ts'
import { healthy, METAS, peersOf, product } from '../support/worlds.ts'

const FENCING = {
  partition: 'consistency',
  acceptLossBytes: 0,
  fencing: { followerDelayMs: 0 },
} as const

/** The others, at most one of which is not as usual. */
const ASIDE: readonly Partial<Facts>[] = [
  {},
  ...ASKED.map((asked) => ({ asked })),
  { initialised: false },
  { paused: true },
  { copying: true },
  { agentGone: true },
  { copying: true, asked: { kind: 'promote', force: true } },
  { frozen: true },
  { late: true },
  { stream: 'behind' },
  { postgres: 'starting' },
  { metaDoubtful: true },
  { settled: 'due' },
  { settled: 'later' },
  { disk: 'full' },
  { slot: 'missing' },
  { slot: 'lost' },
  { room: 'tight' },
  { followerDiffers: true },
  { room: 'tight', slotKeepsBytes: 1e9 },
  { lagBytes: 10 },
  { handOverHeld: true },
  { handOverPutOff: true },
  { unbegun: 'untouched' },
  { unbegun: 'untouched', disk: 'full' },
  { unbegun: 'given-back' },
  { voidRefused: true },
  { restriction: 'due' },
  { reads: 'due' },
  { reads: 'not-served' },
  { claimBarred: true, policy: { partition: 'consistency', acceptLossBytes: 0 } },
  { metaDoubtful: true, policy: { partition: 'consistency', acceptLossBytes: 0 } },
  { policy: { partition: 'consistency', acceptLossBytes: 0 } },
  { policy: FENCING },
  { policy: FENCING, powerHeld: true },
  { policy: FENCING, longGone: false },
  { policy: FENCING, metaDoubtful: true },
  { policy: { partition: 'availability', acceptLossBytes: 100 } },
  { policy: { partition: 'consistency', acceptLossBytes: 100 }, lagBytes: 10 },
  { policy: { partition: 'availability', acceptLossBytes: 100 }, lagBytes: 10 },
  { policy: { partition: 'availability', acceptLossBytes: 100 }, lagBytes: 1000 },
]

/**
 * A covering set: every combination of hostMeta, peer and the facts that most rows read, each with every
 * single departure in the others. No row reads more than two of those; what two of them do together is
 * tried at random below.
 */
function* worlds(): Generator<Facts> {
  const centre = product<Pick<Facts, keyof typeof CENTRE>>(CENTRE)
  for (const aside of ASIDE)
    for (const meta of METAS)
      for (const peer of peersOf(meta))
        for (const facts of centre) yield healthy({ meta, peer, ...facts, ...aside })
}

/** What must never be, whatever the facts: the goal that broke it, or undefined. */
type Law = (facts: Facts, goal: Goal) => boolean

const leads = ({ meta, self }: Facts) => meta?.leader === self
const operator = ({ asked }: Facts) => asked !== null && asked.kind !== 'yielded'
/** It leads only when it has won the claim. */
const claims = (f: Facts) => needsClaim(f, decide(f), false)
const powersOff = (f: Facts) => needsPowerOff(f, decide(f), false) === 'proven'
const higherPeer = ({ peer, meta }: Facts) =>
  peer.contact === 'answers' &&
  peer.says.meta !== null &&
  (meta === null || peer.says.meta.branch > meta.branch)

/** Goals that change who leads. */
const MOVES: readonly Goal[] = ['promote', 'hand-over', 'yield']
/** Goals after which this host takes writes, or goes on taking them. */
const SERVES: readonly Goal[] = ['recover', 'go-alone', 'pair', 'settle', 'promote', 'new-slot']

const LAWS: Readonly<Record<string, Law>> = {
  'a paused host never moves by itself': (f, goal) =>
    !(f.paused && !operator(f) && MOVES.includes(goal)),
  'a frozen host begins nothing by itself': (f, goal) =>
    !f.frozen ||
    operator(f) ||
    !([...MOVES, 'new-slot'].includes(goal) || (goal === 'pair' && f.meta?.mode === 'alone')),
  'a host that never belonged to a pair does nothing': (f, goal) =>
    f.initialised || goal === 'stay',
  'a follower that does not see the gateway never promotes by itself': (f, goal) =>
    !(goal === 'promote' && f.gateway !== 'up' && !operator(f)),
  'a follower without the proof promotes only within the accepted loss, or by force': (f, goal) =>
    goal !== 'promote' ||
    f.promotable ||
    f.asked?.kind === 'handed-back' ||
    (f.asked?.kind === 'promote' && f.asked.force) ||
    (f.lagBytes !== null && f.policy.acceptLossBytes > 0 && f.lagBytes <= f.policy.acceptLossBytes),
  "a follower never promotes while its leader's host answers and its agent was heard, unless it yields or by force":
    (f, goal) =>
      goal !== 'promote' ||
      f.asked !== null ||
      f.peer.contact === 'gone' ||
      (f.agentGone && f.promotable),
  'half a copy never leads, not even by force or within the accepted loss (A3)': (f, goal) =>
    !(goal === 'promote' && f.copying && !f.promotable) || f.asked?.kind === 'handed-back',
  'a leader never promotes': (f, goal) => !(leads(f) && goal === 'promote'),
  'an unproven leader takes no writes but by force, or by the claim (A5)': (f, goal) =>
    !(leads(f) && !f.proven && f.initialised && SERVES.includes(goal)) ||
    (goal === 'go-alone' && claims(f) && f.impaired) ||
    (goal === 'go-alone' && f.asked?.kind === 'promote' && f.asked.force),
  'nothing is read on a leader but one that waits, behind its fence (A5, B8)': (f, goal) =>
    goal !== 'serve-reads' || (leads(f) && f.impaired && !f.proven && f.peer.contact !== 'answers'),
  'an impaired leader never releases commits but by force or by the claim (B7)': (f, goal) =>
    !(leads(f) && f.impaired && (goal === 'go-alone' || goal === 'settle' || goal === 'pair')) ||
    (goal === 'go-alone' && claims(f) && !f.proven) ||
    (f.asked?.kind === 'promote' && f.asked.force),
  'a late leader stops before anything else (A8)': (f, goal) =>
    !(leads(f) && f.late && !f.impaired && f.initialised && f.asked?.kind !== 'thaw') ||
    goal === 'impair',
  'contact with a higher hostMeta is followed at once': (f, goal) =>
    !higherPeer(f) ||
    !f.initialised ||
    f.asked?.kind === 'thaw' ||
    goal === 'adopt' ||
    (goal === 'impair' && f.late),
  'a paired leader that is cut off from all stops': (f, goal) =>
    !(
      leads(f) &&
      f.initialised &&
      f.meta?.mode === 'paired' &&
      !f.impaired &&
      f.gateway === 'down' &&
      (f.peer.contact === 'cut' || f.peer.contact === 'gone') &&
      !operator(f)
    ) || goal === 'impair',
  'a leader goes alone unasked only if the peer can void its proof, or the gateway answers': (
    f,
    goal,
  ) => goal !== 'go-alone' || operator(f) || f.peer.contact === 'answers' || f.gateway === 'up',
  'under consistency nobody promotes or goes alone without a void, a claim or a power-off, but whose leader gives it the lead (A4)':
    (f, goal) =>
      f.policy.partition === 'availability' ||
      (f.asked?.kind === 'promote' && f.asked.force) ||
      f.asked?.kind === 'handed-back' ||
      (f.policy.fencing !== undefined && f.asked?.kind === 'yielded') ||
      (goal !== 'promote' && goal !== 'go-alone') ||
      claims(f) ||
      powersOff(f),
  'nobody asks for a claim, or powers a host off, whose own state could have been left without it: a doubtful hostMeta, a void or old proof, a mode of alone (A4)':
    (f, goal) =>
      f.policy.partition === 'availability' ||
      (goal !== 'promote' && goal !== 'go-alone') ||
      !(claims(f) || powersOff(f)) ||
      (leads(f)
        ? (f.meta?.mode === 'paired' && !f.metaDoubtful) ||
          (f.peer.contact === 'answers' && !f.voidRefused)
        : f.promotable),
  'a claim that was refused is not asked for again before a look, unless somebody asks': (
    f,
    goal,
  ) =>
    f.policy.partition === 'availability' ||
    f.policy.fencing !== undefined ||
    !f.claimBarred ||
    f.asked !== null ||
    (goal !== 'promote' &&
      (goal !== 'go-alone' || (f.peer.contact === 'answers' && !f.voidRefused))),
  'no leader powers its peer off that sees no gateway, and no follower before its leader could have':
    (f) =>
      !powersOff(f) ||
      operator(f) ||
      (leads(f)
        ? f.gateway === 'up' || (f.peer.contact === 'answers' && !f.voidRefused)
        : f.gateway === 'up' && f.longGone),
  'a power-off that proved nothing is not tried again at once': (f) =>
    !(powersOff(f) && f.powerHeld) ||
    operator(f) ||
    (leads(f) && f.peer.contact === 'answers' && !f.voidRefused),
  'nothing is paired with a follower that is not whole (A3)': (f, goal) =>
    goal !== 'pair' ||
    (f.stream === 'caught-up' &&
      f.peer.contact === 'answers' &&
      f.peer.says.settled &&
      f.peer.says.whole),
  'only a leader that is alone takes a new slot or a new host (B10)': (f, goal) =>
    (goal !== 'new-slot' && goal !== 'accept-replacement') ||
    (leads(f) && f.meta?.mode === 'alone'),
  'a lead is given back only to a peer that has the same hostMeta, and never while this host could begin':
    (f, goal) =>
      goal !== 'hand-back' ||
      (leads(f) &&
        f.peer.contact === 'answers' &&
        f.peer.says.meta?.term === f.meta?.term &&
        (f.unbegun === 'given-back' ||
          (f.unbegun === 'untouched' && (f.postgres !== 'up' || f.disk === 'full')))),
  'a hand-over that is put off is begun by an operator only': (f, goal) =>
    !(f.handOverPutOff && goal === 'hand-over') || f.asked?.kind === 'switchover',
  'a host that can not serve does not take the lead': (f, goal) =>
    !(goal === 'promote' || goal === 'recover') || (f.postgres === 'up' && f.disk === 'ok'),
}

/** The first law that is broken in some world, and the rows that never fired. */
function broken(rules: readonly Rule[]) {
  const unfired = new Set(rules.map(({ id }) => id))
  for (const facts of worlds()) {
    const { rule, goal } = decide(facts, rules)
    unfired.delete(rule)
    for (const [name, law] of Object.entries(LAWS))
      if (!law(facts, goal)) return { law: name, rule, facts, unfired }
  }
  return { law: null, rule: null, facts: null, unfired }
}

test('in every world every law holds, and every row fires', { timeout: 120_000 }, () => {
  const { law, rule, facts, unfired } = broken(RULES)
  expect(law, `${rule}: ${JSON.stringify(facts)}`).toBeNull()
  expect([...unfired]).toEqual([])
})

test.each(Object.entries(LAWS))('whatever comes together: %s', (_, law) => {
  const holds = (facts: Facts) => law(facts, decide(facts).goal)
  const { failed, counterexample } = fc.check(fc.property(anyWorld, holds), { numRuns: 2000 })
  expect(failed, JSON.stringify(counterexample)).toBe(false)
})

test('every condition is part of a row', () => {
  const used = RULES.flatMap(({ when }) => when)
  expect(Object.keys(CONDITIONS).filter((name) => !used.includes(name as never))).toEqual([])
})

test('ids are unique, every goal has its entry, and no row is out of reach of the last', () => {
  const ids = RULES.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(Object.keys(GOALS)).toEqual(expect.arrayContaining(RULES.map(({ goal }) => goal)))
  expect(new Set(RULES.map(({ goal }) => goal))).toEqual(new Set(Object.keys(GOALS)))
  expect(RULES.at(-1)).toMatchObject({ role: 'any', when: [] })
})

const change = (id: string, more: (rule: Rule) => Partial<Rule>) =>
  RULES.map((rule) => (rule.id === id ? { ...rule, ...more(rule) } : rule))
const without = (id: string) => RULES.filter((rule) => rule.id !== id)
const lacking = (id: string, ...names: readonly string[]) =>
  change(id, ({ when }) => ({ when: when.filter((name) => !names.includes(name)) }))

describe('a mutated table is caught by a law', { timeout: 120_000 }, () => {
  // oxfmt-ignore
  test.each([
    ['an isolated follower promotes',                without('isolated')],
    ['a paused follower promotes',                   without('paused')],
    ['a frozen follower promotes',                   without('frozen')],
    ['a follower without proof promotes',            lacking('promote', 'promotable')],
    ['any lag is accepted',                          lacking('promote-lagging', 'lagAccepted')],
    ['a silent leader is promoted over too early',   change('promote', () => ({ when: ['peerCut', 'gatewayUp', 'promotable'] }))],
    ['a full disk leads',                            without('unable')],
    ['an unproven leader goes on',                   RULES.filter(({ id }) => !id.startsWith('unproven'))],
    ['what has no fence is read',                    lacking('unproven-reads', 'impaired').filter(({ id }) => id !== 'unproven')],
    ['an unproven leader recovers',                  without('unproven-wait')],
    ['a late leader goes on',                        without('late')],
    ['a cut-off leader goes on',                     without('cut-off')],
    ['an impaired leader is settled, and so unfenced', without('impaired')],
    ['a lower peer is no reason to follow',          without('superseded')],
    ['alone without void or gateway',                lacking('go-alone', 'gatewayUp')],
    ['a void proof asks for the claim',              lacking('promote-claimed', 'promotable')],
    ['a lag that is accepted needs no claim',        lacking('promote-lagging', 'availability').filter(({ id }) => id !== 'promote-claimed' && id !== 'claim-wanted')],
    ['a doubtful hostMeta asks for the claim',       lacking('go-alone-claimed', 'metaCertain')],
    ['a leader that boots asks by a doubtful hostMeta', lacking('claim-lead', 'metaCertain')],
    ['a refused claim is asked for in each round',   lacking('promote-claimed', 'claimNotBarred')],
    ['a boot leads by a power-off (A5)',             change('claim-lead', ({ when }) => ({ when: when.map((name) => (name === 'claimDecides' ? 'powerDecides' : name)) }))],
    ['a void proof powers a host off',               lacking('promote-fenced', 'promotable')],
    ['a follower powers its leader off first',       lacking('promote-fenced', 'longGone')],
    ['a host is powered off in each round',          lacking('go-alone-fenced', 'powerNotHeld')],
    ['a leader without a gateway powers its peer off', lacking('go-alone-fenced', 'gatewayUp')],
    ['paired while behind',                          lacking('pair', 'caughtUp')],
    ['paired with half a copy',                      lacking('pair', 'peerWhole')],
    ['a paused leader hands over',                   lacking('gateway-lost', 'notPaused')],
 ['one that is put off is handed over',           lacking('gateway-lost', 'handOverNotPutOff')],
    ['a new slot in a pair',                         lacking('slot-missing', 'alone')],
  ] as const)('%s', (_, rules) => {
    expect(broken(rules).law).not.toBeNull()
  })
})
