import type { PeerAnswer, Ports, Sighting, WitnessRead } from '../../src/agent/ports.ts'
import type { Claim } from '../../src/pair/claim.ts'
import { type Rule, RULES } from '../../src/pair/fsm.ts'
import type { Timing } from '../../src/pair/timing.ts'
import { SAYS } from '../support/agent_sightings.ts'
import { agentWith, startAgent, TIMING } from './agent.ts'
import type { StartAgent } from './running_agent.ts'
import type { SimulationPlan } from './simulate.ts'
import { SEQUENCE } from './sequences.ts'
import type { World } from './world.ts'

/** A defect that somebody might build in, in the agent, its disk, its rules or the order of the tasks. */
export interface Mutation {
  readonly name: string
  readonly plan: Partial<SimulationPlan>
  /** The rule table with the defect; the array that the agents go by is changed for the run. */
  readonly rules?: (rules: readonly Rule[]) => readonly Rule[]
}

const without = (id: string) => (rules: readonly Rule[]) => rules.filter((rule) => rule.id !== id)

const unconditional = (id: string, name: string) => (rules: readonly Rule[]) =>
  rules.map((rule) =>
    rule.id === id ? { ...rule, when: rule.when.filter((each) => each !== name) } : rule,
  )

const withPorts =
  (change: (ports: Ports) => Partial<Ports>): StartAgent =>
  (ports, host, partition) =>
    startAgent({ ...ports, ...change(ports) }, host, partition)

const lacking = (...tasks: readonly string[]) =>
  SEQUENCE.filter(({ task }) => !tasks.includes(task))

/** A leader's word, made up from the own files: as if a proof outlived the power. */
function believesItsFiles(ports: Ports): Partial<Ports> {
  let first = true
  const look = async (about: { readonly meta: PeerAnswer['meta'] }): Promise<Sighting> => {
    const seen = await ports.sight.look(about)
    if (!first || seen.peerAgent !== null || about.meta === null) return seen
    first = false
    return { ...seen, peerAgent: wordOf(about.meta, ports.clock.now()) }
  }
  return { sight: { ...ports.sight, look } }
}

const wordOf = (meta: NonNullable<PeerAnswer['meta']>, at: number): PeerAnswer => ({
  ...SAYS,
  meta,
  followerBehindBytes: 0,
  sentAt: at,
  arrivedAt: at,
  host: 'peer',
  bootId: 'before',
})

/** srsubstate is not looked at. */
function callsItselfReady(ports: Ports): Partial<Ports> {
  const look = async (about: { readonly meta: PeerAnswer['meta'] }): Promise<Sighting> => {
    const seen = await ports.sight.look(about)
    const { postgres } = seen
    if (!postgres.up || postgres.follower === null) return seen
    return { ...seen, postgres: { ...postgres, follower: { ...postgres.follower, ready: true } } }
  }
  return { sight: { ...ports.sight, look } }
}

function lieAboutDisks({ machines }: World): void {
  for (const { disk } of machines) disk.lazyMs = 4_000
}

/** The follower is promoted and dies, and only the old leader comes back: rare by chance. */
const BOTH_OFF = [
  { atMs: 20_000, text: 'power-off h1' },
  { atMs: 40_000, text: 'power-off h2' },
  { atMs: 50_000, text: 'power-on h1' },
  { atMs: 80_000, text: 'power-on h2' },
]

const PAUSED = [
  { atMs: 15_000, text: 'pause h2' },
  { atMs: 20_000, text: 'power-off h1' },
  { atMs: 40_000, text: 'power-on h1' },
]

/** While the leader is alone its slot is dropped by hand, unseen by its agent. */
const SLOT_DROPPED = [
  { atMs: 15_000, text: 'power-off h2' },
  { atMs: 25_000, text: 'kill-agent h1' },
  { atMs: 25_100, text: 'drop-slot h1' },
  { atMs: 40_000, text: 'power-on h2' },
]

/** It gives up an interval before the law lets it. */
const HASTY: Timing = {
  ...TIMING,
  failures: TIMING.failures - 1,
  promoteMs: TIMING.promoteMs - TIMING.intervalMs,
  fenceMs: TIMING.fenceMs - TIMING.intervalMs,
}

/** The leader loses everything at once. */
const ISOLATED = [
  { atMs: 20_000, text: 'cut h1' },
  { atMs: 20_000, text: 'cut h2' },
  { atMs: 20_000, text: 'cut-gateway h1' },
  { atMs: 40_000, text: 'heal' },
]

/** The old leader comes back alone while its successor, who won the claim, is away. */
const SUCCEEDED = [
  { atMs: 5_000, text: 'power-off h1' },
  { atMs: 40_000, text: 'power-off h2' },
  { atMs: 45_000, text: 'power-on h1' },
  { atMs: 80_000, text: 'power-on h2' },
]

/** Both reach a slow witness in the same moment. */
const RACED = [
  { atMs: 20_000, text: 'witness-delay 600' },
  { atMs: 20_000, text: 'witness-dies' },
  { atMs: 20_000, text: 'cut h1' },
  { atMs: 20_000, text: 'cut h2' },
  { atMs: 27_000, text: 'witness-returns' },
  { atMs: 60_000, text: 'heal' },
]

const CUT = [
  { atMs: 20_000, text: 'cut h1' },
  { atMs: 20_000, text: 'cut h2' },
  { atMs: 50_000, text: 'heal' },
]

const WITNESSED = { partition: 'consistency' } as const

/** Whatever is asked for it has won: no answer, and a refusal, count as a win. */
function believesAll({ witness }: Ports): Partial<Ports> {
  if (witness === null) return {}
  let own: Claim | null = null
  return {
    witness: {
      ...witness,
      read: async () =>
        own === null ? await witness.read() : { kind: 'claim', claim: own, version: 'own' },
      swap: async (next, over) => {
        own = next
        return await witness.swap(next, over)
      },
    },
  }
}

/** Another one's claim is always of an earlier pair. */
const seesNoHolder: StartAgent = (ports, host, partition) => {
  const { witness } = ports
  if (witness === null) return startAgent(ports, host, partition)
  const read = async (): Promise<WitnessRead> => {
    const found = await witness.read()
    if (found.kind !== 'claim' || found.claim.holder === host) return found
    return { ...found, claim: { ...found.claim, term: 1 } }
  }
  return startAgent({ ...ports, witness: { ...witness, read } }, host, partition)
}

const POWERED = { partition: 'power' } as const

/** Neither reaches the other's controller when the link is cut. */
const BLIND = [
  { atMs: 20_000, text: 'cut-controller h1' },
  { atMs: 20_000, text: 'cut-controller h2' },
  ...CUT,
]

/** No answer of a controller is taken for the one that is hoped for. */
function takesSilenceForOff({ power }: Ports): Partial<Ports> {
  if (power === null) return {}
  const run: typeof power.run = async (command, bound) => {
    const answer = await power.run(command, bound)
    return answer.kind === 'silent' ? { kind: 'ended', off: true, text: '' } : answer
  }
  return { power: { ...power, run } }
}

/** Who has powered its peer off leads, whatever it did before. */
const leadsByPowerAtBoot = (rules: readonly Rule[]) =>
  rules.map((rule) => {
    const when = rule.when.map((name) => (name === 'claimDecides' ? 'powerDecides' : name))
    return rule.id === 'claim-lead' ? { ...rule, when } : rule
  })

/** Each must be caught by some seed. */
// oxfmt-ignore
export const MUTATIONS: readonly Mutation[] = [
  { name: 'a follower promotes without a proof (A3)', plan: {}, rules: unconditional('promote', 'promotable') },
  { name: 'a paused follower promotes', plan: { storm: PAUSED }, rules: without('paused') },
  { name: 'a leader that boots alone takes its word for it (A5)', plan: { storm: BOTH_OFF }, rules: (rules) => without('unproven')(without('unproven-wait')(rules)) },
  { name: 'what is read while a host waits has no fence (A5, B8)', plan: { storm: BOTH_OFF, sequence: lacking('The table refuses writes before it is read (B8)', 'The table refuses writes (B1)') } },
  { name: 'a leader that is cut off from all goes on', plan: {}, rules: without('cut-off') },
  { name: 'a higher hostMeta is not adopted', plan: {}, rules: without('superseded') },
  { name: 'a leader goes alone and voids nothing (B7)', plan: { startAgent: withPorts(({ peer }) => ({ peer: { ...peer, voidProof: () => Promise.resolve(true) } })) } },
  { name: 'a write to the disk is believed before it is there', plan: { prepare: lieAboutDisks } },
  { name: 'a proof outlives the power (A3)', plan: { startAgent: withPorts(believesItsFiles) } },
  { name: 'the fence comes later than the promotion', plan: { startAgent: (ports, host) => agentWith(ports, host, host === 'h1' ? { ...TIMING, fenceMs: 8_000 } : TIMING) } },
  { name: 'a follower promotes an interval too early', plan: { storm: ISOLATED, startAgent: (ports, host) => agentWith(ports, host, host === 'h2' ? HASTY : TIMING) } },
  { name: 'histories are compared by their highest revision (A1)', plan: { rules: { sameHistory: ({ machine, meta }) => machine.postgres.table.max === meta.fork?.max } } },
  { name: 'a slot is made again under its old name (B3)', plan: { storm: SLOT_DROPPED, rules: { remembersSlots: false } } },
  { name: 'a follower that copies calls itself ready (A3)', plan: { startAgent: withPorts(callsItselfReady) } },
  { name: 'a swap drops the old table (A2)', plan: { rules: { keepsOldTable: false } } },
  { name: 'a promotion moves the revision on by one', plan: { rules: { jump: 1 } } },
  { name: 'a follower waits for a follower of its own (B2)', plan: { sequence: lacking('The follower does not wait for a follower of its own') } },
  { name: 'a witness says yes to whoever asks (A4)', plan: { ...WITNESSED, storm: RACED, prepare: ({ witness }) => { witness.lying = true } } },
  { name: 'no answer of the witness counts as a win (A4)', plan: { ...WITNESSED, storm: CUT, startAgent: withPorts(believesAll) } },
  { name: 'a claim that another holds is taken (A4)', plan: { ...WITNESSED, storm: SUCCEEDED, startAgent: seesNoHolder } },
  { name: 'under consistency a leader goes alone without a claim (A4)', plan: { ...WITNESSED, storm: CUT, startAgent: (ports, host) => startAgent(ports, host, host === 'h1' ? 'availability' : 'consistency') } },
  { name: 'under consistency a follower promotes without a claim (A4)', plan: { ...WITNESSED, storm: CUT, startAgent: (ports, host) => startAgent(ports, host, host === 'h2' ? 'availability' : 'consistency') } },
  { name: 'no answer counts as a power-off (A4)', plan: { ...POWERED, storm: BLIND, startAgent: withPorts(takesSilenceForOff) } },
  { name: 'beside fencing a leader goes alone without a power-off (B7)', plan: { ...POWERED, storm: BLIND, startAgent: (ports, host) => startAgent(ports, host, host === 'h1' ? 'availability' : 'power') } },
  { name: 'beside fencing a follower promotes without a power-off (B6)', plan: { ...POWERED, storm: CUT, startAgent: (ports, host) => startAgent(ports, host, host === 'h2' ? 'availability' : 'power') } },
  { name: 'a peer that is off is a reason to lead after a boot (A5)', plan: { ...POWERED, storm: SUCCEEDED }, rules: leadsByPowerAtBoot },
  { name: 'a follower keeps its kine on its own table (A7)', plan: { sequence: lacking('No kine writes to the table of this host', 'kine serves the follower', "The follower's table refuses writes that are not the leader's") } },
]

/** Runs something by a changed rule table. */
export async function goingBy<T>(change: Mutation['rules'], run: () => Promise<T>): Promise<T> {
  if (change === undefined) return await run()
  const rules = RULES as Rule[]
  const before = [...rules]
  rules.splice(0, rules.length, ...change(before))
  try {
    return await run()
  } finally {
    rules.splice(0, rules.length, ...before)
  }
}
