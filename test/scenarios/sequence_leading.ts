import type { ForkPoint } from '../../src/core/site.ts'
import { type Place, type Step, Trouble } from './engine.ts'
import { begun, commits, lsnText, makeSlotOnce, notBegun } from './place.ts'

/** A promotion is one of these in so many that gets no slot for its peer: a transaction stays open (B5). */
const NO_SLOT_CHANCE = 0.05

/** playbooks/role/leads.yaml: while the branch has no marker, a promotion or the taking of a hand-over. */
export const LEADING: readonly Step[] = [
  {
    task: 'What answered reads while this host waited has ended',
    on: 'leader',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 100,
    when: (place) => place.machine.reads.running && begun(place),
    act: ({ machine }) => machine.reads.end(),
  },
  {
    task: 'kine stands still until the branch has begun',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 20,
    when: notBegun,
    // One that uses the dead leader's database is left until the next one takes connections.
    act: ({ machine, registered }) => {
      registered['begun'] = { rows: [{ marked: false }] }
      if (machine.kine.endpoint === machine.name) machine.killKine()
    },
  },
  {
    task: 'A leader that is alone waits for nobody',
    on: 'leader',
    tags: ['role', 'alone'],
    needs: 'postgres',
    atMostMs: 80,
    when: ({ meta }) => meta.mode === 'alone',
    act: (place) => {
      commits(place)
      place.machine.postgres.stopWaiting()
    },
  },
  {
    task: 'What came from the old leader is applied, and nothing more comes (A6)',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 40,
    act: ({ machine, registered }) => {
      const { subscription } = machine.postgres
      if (subscription === null) return
      subscription.enabled = false
      registered['followed'] = { slot: subscription.slot, position: subscription.position }
    },
  },
  {
    task: 'No transaction is open (B5)',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 20,
    when: notBegun,
    act: ({ machine }) => machine.postgres.terminateBackends(),
  },
  {
    task: 'The old leader has a slot for its return',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 60,
    when: notBegun,
    act: (place) => {
      commits(place)
      makeSlotOnce(place, !place.world.random.chance(NO_SLOT_CHANCE))
    },
  },
  {
    task: 'The branch has its marker',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 40,
    act: (place) => {
      if (notBegun(place)) writeMarker(place)
      const { postgres } = place.machine
      for (const { marker } of postgres.table.rows)
        if (marker?.branch === place.meta.branch)
          place.registered['fork'] = { forkPoint: marker.fork }
    },
  },
  {
    task: "The leader's table is open for writes",
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 20,
    when: begun,
    act: (place) => {
      if (!place.machine.postgres.fence) return
      commits(place)
      place.machine.postgres.fence = false
    },
  },
  {
    task: 'kine serves the leader',
    on: 'leader',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 60,
    when: begun,
    act: ({ machine }) => machine.startKine(machine.name),
  },
  {
    task: 'The virtual address is here',
    on: 'leader',
    tags: ['role'],
    needs: 'nothing',
    atMostMs: 10,
    when: begun,
    act: ({ machine }) => {
      machine.virtualIp = true
    },
  },
  {
    task: 'The subscription of its time as a follower is gone',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 40,
    when: begun,
    act: (place) => {
      const { postgres } = place.machine
      if (postgres.subscription === null) return
      commits(place)
      postgres.subscription = null
    },
  },
  {
    task: 'The follower has its slot',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 60,
    when: (place) => place.meta.mode === 'alone' && begun(place),
    act: (place) => {
      commits(place)
      makeSlotOnce(place)
    },
  },
  {
    task: 'No other slot keeps WAL',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 20,
    when: begun,
    act: ({ machine, meta }) => {
      const { slots } = machine.postgres
      for (const name of slots.keys()) if (name !== meta.slot) slots.delete(name)
    },
  },
  {
    task: 'Every write waits for the follower',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 100,
    when: ({ meta }) => meta.mode === 'paired',
    act: (place) => {
      commits(place)
      place.machine.postgres.synchronous = true
    },
  },
  {
    task: 'The pair still has its slot',
    on: 'leader',
    tags: ['role'],
    needs: 'postgres',
    atMostMs: 10,
    when: ({ meta }) => meta.mode === 'paired',
    act: ({ machine, meta }) => {
      if (meta.slot === null || !machine.postgres.slots.has(meta.slot))
        throw new Trouble('the slot of a pair is gone')
    },
  },
]

function writeMarker(place: Place): void {
  commits(place)
  const { machine, meta, registered } = place
  const { postgres } = machine
  const { table, subscription } = postgres
  const followed = registered['followed'] as { slot: string; position: number } | undefined
  const fork: ForkPoint = {
    from: table.highestBranch,
    slot: followed?.slot ?? null,
    lsn: followed === undefined ? null : lsnText(followed.position),
    count: table.count,
    sum: String(table.sum),
    max: table.max,
    compactRevision: 0,
  }
  // Its own commit has flushed all that was applied before it.
  if (subscription !== null) subscription.unflushed = []
  const id = table.max + (meta.began === 'promotion' ? place.world.rules.jump : 1)
  const marker = { branch: meta.branch, fork }
  postgres.insert({ id, marker, acknowledged: false, guarded: false })
  postgres.visibleMax = id
  place.world.story.tell(machine.name, `marker of branch ${meta.branch} at revision ${id}`)
}
