import { compareHostMeta, type HostMeta } from '../pair/host_meta.ts'
import type { HostView } from './host_view.ts'

/** How a pair stands, in words for whoever has to do something about it. */
export interface PairStanding {
  /**
   * whole: one host leads, and the other has what is acknowledged · at-risk: so it is, and the other could
   * not take over · one-disk: one leads alone · both · nobody · unknown: too little was looked at.
   */
  readonly kind: 'whole' | 'at-risk' | 'one-disk' | 'both' | 'nobody' | 'unknown'
  /** One sentence: what is, and what can be done. */
  readonly text: string
}

/** A host that was reached and has a hostMeta to go by. */
type Member = HostView & { readonly meta: HostMeta }

/** The verdict about a pair, from what its hosts say. Pure. */
export function pairStanding(views: readonly HostView[]): PairStanding {
  const members = views.filter((view): view is Member => view.meta !== null)
  const leaders = members.filter((view) => view.meta.leader === view.name)
  const serving = leaders.filter((view) => whyNotServing(view) === undefined)
  const [one, two] = serving
  if (one !== undefined && two !== undefined) return bothLead(one, two)
  if (one !== undefined) return oneLeads(one, views)
  const rest = views.filter(({ reached }) => reached !== 'yes')
  if (leaders.length === 0 && rest.some(({ reached }) => reached === 'left-out'))
    return { kind: 'unknown', text: `who leads is not known: ${withoutLeader(views, rest)}` }
  if (rest.length === views.length)
    return {
      kind: 'unknown',
      text: 'neither host could be looked at: who serves is not known here',
    }
  if (members.length === 0 && rest.length === 0)
    return {
      kind: 'nobody',
      text: 'nobody serves: there is no pair yet: `twonode converge` makes one',
    }
  const heard = rest.length === 1 ? heardBy(members) : undefined
  return heard === undefined
    ? nobodyServes(views, leaders[0] ?? members[0])
    : { kind: 'unknown', text: heard }
}

/** The leader could not be looked at from here, and its follower hears it. */
function heardBy(members: readonly Member[]): string | undefined {
  const follower = members.find(({ agent }) => agent?.hearsPeer === true)
  if (follower === undefined || follower.meta.leader === follower.name) return undefined
  return `${follower.meta.leader} could not be looked at, but the agent of ${follower.name}, which follows it, hears it: mend the way from here to ${follower.meta.leader}`
}

/** Why a host that leads takes no writes; undefined: it does, or nothing is known against it. */
function whyNotServing({ agent, services }: HostView): string | undefined {
  const { postgres, kine } = services
  if (isDown(postgres)) return `its PostgreSQL is ${postgres}`
  if (agent?.impaired === true) return 'it has stopped taking writes'
  return isDown(kine) ? `its kine is ${kine}` : undefined
}

/** What starts or reads its settings again, as systemd says it, may serve at any moment. */
function isDown(state: string | undefined): state is string {
  return state === 'inactive' || state === 'failed' || state === 'deactivating'
}

function bothLead(one: Member, two: Member): PairStanding {
  const stays = compareHostMeta(one.meta, two.meta) > 0 ? one.name : two.name
  const other = stays === one.name ? two.name : one.name
  return {
    kind: 'both',
    text: `BOTH LEAD: ${one.name} since ${since(one.meta)}, ${two.name} since ${since(two.meta)}, and each takes writes of its own: mend the network between them; ${stays} then goes on leading, and what only ${other} acknowledged is set aside there`,
  }
}

function oneLeads(leader: Member, views: readonly HostView[]): PairStanding {
  const other = views.find(({ name }) => name !== leader.name)
  const held = heldText(views)
  if (leader.meta.mode === 'alone') {
    const more = other === undefined ? [] : [whyAlone(leader, other)]
    const begun = `${leader.name} leads alone since ${since(leader.meta)}: writes are on one disk`
    return { kind: 'one-disk', text: [begun, ...more, ...held, ...salvageText(views)].join('; ') }
  }
  const also = otherText(leader, other)
  const text = [`${leader.name} leads, ${also.text}`, ...held, ...salvageText(views)].join('; ')
  return { kind: also.good && held.length === 0 ? 'whole' : 'at-risk', text }
}

function otherText(leader: Member, other: HostView | undefined) {
  if (other === undefined || other.reached === 'left-out')
    return {
      good: true,
      text: `paired with ${other?.name ?? 'its follower'}, which was not looked at`,
    }
  if (other.reached === 'silent')
    return {
      good: false,
      text: `${other.name} could not be looked at: power it on, or mend the way to it from here`,
    }
  if (other.meta?.leader === other.name)
    return { good: false, text: `${other.name} led before, and is about to follow` }
  const silent = [leader, other].find(lacksAgent)
  if (silent !== undefined)
    return { good: false, text: `${other.name} follows, but ${agentDown(silent)}` }
  return { good: true, text: `${other.name} follows: every write is on both disks` }
}

/** What keeps the other host from following, as far as it shows. */
function whyAlone(leader: Member, other: HostView): string {
  const { name, services, agent } = other
  if (other.reached === 'left-out') return `${name} was not looked at`
  if (other.reached === 'silent')
    return `${name} does not answer: power it on, or \`twonode replace --host ${name} --for ${name}\` if it is gone for good`
  const silent = [leader, other].find(lacksAgent)
  if (silent !== undefined) return agentDown(silent)
  if (isDown(services.postgres))
    return services.postgres === 'inactive'
      ? `PostgreSQL of ${name} is stopped: \`systemctl start postgresql\` there`
      : `PostgreSQL of ${name} is ${services.postgres}: \`journalctl -u 'postgresql@*'\` there says why`
  if (agent?.hearsPeer === false || leader.agent?.hearsPeer === false)
    return `the agents of ${leader.name} and ${name} do not hear each other: mend the network between them`
  return `${name} is to follow again by itself: \`twonode timeline\` says what it waits for`
}

/** Its agent was asked, and did not answer. */
function lacksAgent({ agent, services }: HostView): boolean {
  return agent === undefined && services.agent !== undefined
}

function agentDown({ name, services }: HostView): string {
  return services.agent === 'active'
    ? `the agent of ${name} does not answer: \`journalctl -u twonode-agent\` there says why`
    : `the agent of ${name} is ${services.agent ?? 'not there'}: \`systemctl start twonode-agent\` there`
}

/** Hosts that an operator, or the flap guard, holds. */
function heldText(views: readonly HostView[]): readonly string[] {
  const pauses = views.filter(({ agent }) => agent?.paused === true)
  const paused = pauses.map(({ name }) => name)
  const ends = [...new Set(pauses.flatMap(({ agent }) => agent?.pauseEnds ?? []))].join(' and ')
  const frozen = views.filter(({ agent }) => agent?.frozen === true).map(({ name }) => name)
  return [
    ...(paused.length === 0
      ? []
      : [
          `${are(paused)} paused by an operator${ends === '' ? '' : ` (${ends})`}, so that nobody takes over by itself: \`twonode resume\` on ${paused.join(' and on ')}`,
        ]),
    ...(frozen.length === 0
      ? []
      : [
          `${are(frozen)} frozen by too many changes of leader or mode in an hour: mend their cause, then \`twonode resume\` on ${frozen.join(' and on ')}`,
        ]),
  ]
}

/** What a host had that the cluster has not: the pair is whole without it, and somebody wanted it. */
function salvageText(views: readonly HostView[]): readonly string[] {
  return views
    .filter(({ agent }) => (agent?.salvagesWaiting ?? 0) > 0)
    .map(
      ({ name }) => `what only ${name} had waits to be looked at: \`twonode salvage list\` there`,
    )
}

function are(names: readonly string[]): string {
  return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'}`
}

function withoutLeader(views: readonly HostView[], rest: readonly HostView[]): string {
  const looked = views.filter((view) => !rest.includes(view)).map(stateOf)
  return [...looked, ...rest.map(stateOf)].join(', ')
}

function nobodyServes(views: readonly HostView[], best: Member | undefined): PairStanding {
  const ways = waysOut(views, best)
  return {
    kind: 'nobody',
    text: `nobody serves: ${views.map(stateOf).join(', ')}; ${ways.join(', or ')}`,
  }
}

function stateOf(view: HostView): string {
  const { name, reached, meta, agent } = view
  if (reached === 'left-out') return `${name} was not looked at`
  if (reached === 'silent') return `${name} does not answer`
  if (meta === null) return `${name} has no hostMeta that can be believed`
  const why = whyNotServing(view)
  const is =
    meta.leader === name
      ? `${name} leads, but ${why ?? 'nothing shows that it serves'}`
      : `${name} follows ${meta.leader}`
  const held = [agent?.paused === true ? 'paused' : '', agent?.frozen === true ? 'frozen' : '']
  return [is, ...held.filter((word) => word !== '')].join(' and is ')
}

/** The mildest first: what loses nothing, then what says that the other host will not come back. */
function waysOut(views: readonly HostView[], best: Member | undefined): readonly string[] {
  const stopped = views.filter(({ services }) => isDown(services.agent))
  const held = views.filter(({ agent }) => agent?.paused === true || agent?.frozen === true)
  const mild = [
    ...commandOn('systemctl start twonode-agent', stopped),
    ...commandOn('twonode resume', held),
  ]
  const silent = views.filter(({ reached }) => reached === 'silent').map(({ name }) => name)
  const power = silent.map((name) => `power ${name} on`)
  if (mild.length + power.length === 0) power.push('`twonode timeline` says what they wait for')
  // With both hosts there, what is stopped or held is the cause.
  const isLast = best !== undefined && (silent.length > 0 || mild.length === 0)
  const lost =
    silent.length > 0 ? `if ${silent.join(' and ')} will not come back` : 'as the last way'
  const force = isLast
    ? [
        `${lost} \`twonode promote --force\` on ${best.name}: what only the other has is then not led on`,
      ]
    : []
  return [...mild, ...power, ...force]
}

function commandOn(command: string, on: readonly HostView[]): readonly string[] {
  return on.length === 0 ? [] : [`\`${command}\` on ${on.map(({ name }) => name).join(' and on ')}`]
}

/** When its hostMeta was last written: at a change of leader or mode, or with a new slot for the follower. */
function since({ lastModified }: HostMeta): string {
  const [, day, time] = /^(\S+)T(\d\d:\d\d:\d\d)/.exec(lastModified) ?? []
  return day === undefined || time === undefined ? lastModified : `${day} ${time} UTC`
}
