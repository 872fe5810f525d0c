import { type Place, type Step, Trouble } from './engine.ts'
import { commits, fence, until } from './place.ts'

/** What the follower lacks must come within this. @unit milliseconds */
const FLUSH_BOUND_MS = 2_000

/** @unit milliseconds */
const STREAM_BOUND_MS = 30_000

/** playbooks/role/pair_tasks.yaml: A3's order. */
export const PAIRING: readonly Step[] = [
  {
    task: 'The follower streams',
    on: 'leader',
    tags: ['pair'],
    needs: 'postgres',
    atMostMs: 10,
    act: async (place) => {
      const { machine, meta, world } = place
      const streams = () => {
        const slot = meta.slot === null ? undefined : machine.postgres.slots.get(meta.slot)
        const reader = world.machine(machine.peerName).postgres.subscription
        const copies = world.rules.seesCopy && reader !== null && reader.copyUntil !== null
        return (
          slot !== undefined &&
          !slot.lost &&
          slot.activeUntil > world.time.now &&
          slot.streaming &&
          !copies
        )
      }
      if (!(await until(place, STREAM_BOUND_MS, streams)))
        throw new Trouble('the follower does not stream')
    },
  },
  {
    task: 'A write waits for the follower',
    on: 'leader',
    tags: ['pair'],
    needs: 'postgres',
    atMostMs: 200,
    act: (place) => {
      commits(place)
      place.machine.postgres.synchronous = true
    },
  },
  {
    task: 'The follower has everything',
    on: 'leader',
    tags: ['pair'],
    needs: 'postgres',
    atMostMs: 20,
    act: followerHasAll,
  },
]

const ENDED: Step = {
  task: 'What kine had begun has ended',
  on: 'leader',
  tags: ['handover'],
  needs: 'postgres',
  atMostMs: 20,
  act: ({ machine }) => machine.postgres.terminateBackends(),
}

/** playbooks/role/stands_still.yaml: a host that takes no writes, and a hand-over (A7). */
export const STANDING_STILL: readonly Step[] = [
  {
    task: 'kine stands still',
    on: 'both',
    tags: ['impair'],
    needs: 'nothing',
    atMostMs: 20,
    act: ({ machine }) => machine.killKine(),
  },
  {
    task: 'The virtual address is nowhere',
    on: 'both',
    tags: ['impair'],
    needs: 'nothing',
    atMostMs: 10,
    act: ({ machine }) => {
      machine.virtualIp = false
    },
  },
  {
    task: 'Nothing that kine had begun goes on',
    on: 'both',
    tags: ['impair'],
    needs: 'postgres',
    atMostMs: 20,
    act: ({ machine }) => machine.postgres.terminateBackends(),
  },
  {
    task: 'The table refuses writes (B1)',
    on: 'both',
    tags: ['impair'],
    needs: 'postgres',
    atMostMs: 20,
    act: (place) => fence(place),
  },
  {
    task: 'kine stands still',
    on: 'leader',
    tags: ['handover'],
    needs: 'nothing',
    atMostMs: 20,
    act: ({ machine }) => machine.killKine(),
  },
  ENDED,
  {
    task: 'The table refuses writes',
    on: 'leader',
    tags: ['handover'],
    needs: 'postgres',
    atMostMs: 20,
    act: (place) => fence(place),
  },
  // The other host's kine has come back in between.
  ENDED,
  {
    task: 'The follower has everything',
    on: 'leader',
    tags: ['handover'],
    needs: 'postgres',
    atMostMs: 20,
    act: followerHasAll,
  },
  {
    task: "A number for the table's content",
    on: 'both',
    tags: ['digest'],
    needs: 'postgres',
    atMostMs: 20,
    act: ({ machine, registered }) => {
      const { count, sum, max } = machine.postgres.table
      registered['digest'] = { digest: `${count}:${sum}:${max}` }
    },
  },
]

/** playbooks/role/waits.yaml: what a leader that waits has can be read on it (A5). */
export const WAITING: readonly Step[] = [
  {
    task: 'The table refuses writes before it is read (B8)',
    on: 'leader',
    tags: ['reads'],
    needs: 'postgres',
    atMostMs: 20,
    act: (place) => fence(place),
  },
  {
    task: 'kine reads the table of this host',
    on: 'leader',
    tags: ['reads'],
    needs: 'nothing',
    atMostMs: 300,
    act: ({ machine, registered }) => {
      machine.reads.start()
      registered['reads'] = { changed: true, skipped: false }
    },
  },
]

/** How far the leader has written, and that the follower has flushed it. */
async function followerHasAll(place: Place): Promise<void> {
  const { machine, meta } = place
  const { postgres } = machine
  const position = postgres.log.length
  const has = () => {
    const slot = meta.slot === null ? undefined : postgres.slots.get(meta.slot)
    return slot !== undefined && slot.confirmed >= position
  }
  if (!(await until(place, FLUSH_BOUND_MS, has)))
    throw new Trouble('the follower does not have everything')
}
