import { type Place, type Step, Trouble } from './engine.ts'
import { commits, fence, positionOf } from './place.ts'
import type { Subscription } from './postgres.ts'
import { Table } from './table.ts'

/** What kine_history says of this host's table. */
type History = 'joined' | 'empty' | 'same' | 'other'

const historyOf = ({ registered }: Place): History | undefined =>
  registered['history'] as History | undefined

/**
 * playbooks/role/follows.yaml: one that follows, that was leader until now, that was away. Its copy goes
 * on after it: the agent waits for nobody.
 */
export const FOLLOWING: readonly Step[] = [
  {
    task: 'What answered reads while this host waited has ended',
    on: 'follower',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 100,
    when: ({ machine }) => machine.reads.running,
    act: ({ machine }) => machine.reads.end(),
  },
  {
    task: 'The virtual address is not here',
    on: 'follower',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 10,
    act: ({ machine }) => {
      machine.virtualIp = false
    },
  },
  {
    task: 'No kine writes to the table of this host',
    on: 'follower',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 20,
    when: ({ machine, meta }) => machine.kine.endpoint !== meta.leader,
    act: ({ machine }) => machine.killKine(),
  },
  {
    task: 'Nothing that kine had begun here goes on',
    on: 'follower',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 20,
    act: ({ machine }) => machine.postgres.terminateBackends(),
  },
  {
    task: "The follower's table refuses writes that are not the leader's",
    on: 'follower',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 20,
    act: (place) => fence(place),
  },
  {
    task: 'The follower does not wait for a follower of its own',
    on: 'follower',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 40,
    when: ({ machine }) => machine.postgres.synchronous,
    act: (place) => {
      commits(place)
      place.machine.postgres.stopWaiting()
    },
  },
  {
    task: "The leader's branch has begun",
    on: 'follower',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 5,
    act: ({ meta }) => {
      if (meta.began !== 'first' && meta.fork === null)
        throw new Trouble('the leader has not written the marker of its branch yet')
    },
  },
  {
    task: 'kine serves the follower',
    on: 'follower',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 60,
    act: ({ machine, meta }) => machine.startKine(meta.leader),
  },
  {
    task: "How this host's table compares with the leader's (A1)",
    on: 'follower',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 40,
    act: (place) => {
      const { machine, meta, registered, world } = place
      const { subscription, table } = machine.postgres
      let history: History = 'other'
      if (subscription !== null && subscription.slot === meta.slot) history = 'joined'
      else if (table.count === 0) history = 'empty'
      else if (world.rules.sameHistory(place)) history = 'same'
      registered['history'] = history
      if (meta.mode === 'paired' && history !== 'joined')
        throw new Trouble('a follower is taken in while its leader is alone (B10)')
    },
  },
  {
    task: 'A table of another history is kept aside (A2)',
    on: 'follower',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 60,
    when: (place) => historyOf(place) === 'other' && place.meta.slot !== null,
    act: (place) => {
      commits(place)
      const { postgres } = place.machine
      place.world.story.tell(place.machine.name, `moves ${postgres.table.count} rows aside`)
      postgres.subscription = null
      if (place.world.rules.keepsOldTable) postgres.kept.push(postgres.table)
      postgres.table = new Table()
    },
  },
  {
    task: 'The follower subscribes to the leader',
    on: 'follower',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 100,
    when: (place) => place.meta.slot !== null && historyOf(place) !== undefined,
    act: (place) => {
      commits(place)
      const { postgres } = place.machine
      const { slot } = place.meta
      if (slot === null) return
      if (historyOf(place) === 'joined') {
        if (postgres.subscription !== null) postgres.subscription.enabled = true
        return
      }
      slotOnLeader(place)
      const copies = historyOf(place) !== 'same'
      place.world.endCopy(place.machine)
      postgres.subscription = null
      if (copies && postgres.table.count > 0) throw new Trouble('public.kine has rows by now')
      postgres.subscription = subscriptionOn(slot, copies)
    },
  },
  {
    task: 'The slots of its time as a leader are gone',
    on: 'follower',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 20,
    act: ({ machine }) => machine.postgres.slots.clear(),
  },
]

/** The slot of this follower on its leader, asked over the network. */
function slotOnLeader({ world, machine, meta }: Place): void {
  const leader = world.machine(meta.leader).postgres
  if (!leader.up || !world.network.bothWays(machine.name, meta.leader))
    throw new Trouble("the leader's PostgreSQL does not answer")
  const slot = meta.slot === null ? undefined : leader.slots.get(meta.slot)
  if (slot === undefined || slot.lost) throw new Trouble('the slot does not exist on the leader')
}

const subscriptionOn = (slot: string, copies: boolean): Subscription => ({
  slot,
  enabled: true,
  state: copies ? 'copying' : 'ready',
  position: 0,
  flushed: 0,
  unflushed: [],
  copyFrom: null,
  copyUntil: null,
  conflict: false,
  workerAlive: true,
  errors: 0,
  started: false,
})

/** A slot of another number was made later than its branch's marker: rows before it would be missed. */
const MADE_WITH_THE_MARKER = /_1$/

/** A1: whether this host's history is what the leader's branch continues. Undecidable is no. */
export function sameHistory({ machine, meta }: Place): boolean {
  const { postgres } = machine
  const { fork, slot } = meta
  if (fork === null || fork.lsn === null || fork.slot === null) return false
  if (slot === null || !MADE_WITH_THE_MARKER.test(slot)) return false
  if (postgres.table.highestBranch !== fork.from) return false
  const own = postgres.slots.get(fork.slot)
  if (own === undefined || own.lost) return false
  const { count, sum, max } = postgres.table
  return (
    postgres.log.length === positionOf(fork.lsn) &&
    count === fork.count &&
    String(sum) === fork.sum &&
    max === fork.max
  )
}
