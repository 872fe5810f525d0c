import { type Step, Trouble } from './engine.ts'
import { commits, fence, until } from './place.ts'

/** What the follower lacks must come within this. @unit milliseconds */
const FLUSH_BOUND_MS = 2_000

/** @unit milliseconds */
const STREAM_BOUND_MS = 30_000

/** playbooks/role/leads.yaml, its end, and pair_tasks.yaml: A3's order. */
export const PAIRING: readonly Step[] = [
  {
    id: 'every write of a pair waits for the follower',
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
    id: 'the pair still has its slot (B3)',
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
  {
    id: 'the follower streams, and no copy is under way (A3)',
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
    id: 'a write waits for the follower (A3)',
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
    id: 'kine is dead',
    on: 'both',
    tags: ['impair', 'handover'],
    needs: 'nothing',
    atMostMs: 20,
    act: ({ machine }) => machine.killKine(),
  },
  {
    id: 'the virtual address is gone',
    on: 'both',
    tags: ['impair'],
    needs: 'nothing',
    atMostMs: 10,
    act: ({ machine }) => {
      machine.virtualIp = false
    },
  },
  {
    id: 'what kine had begun has ended (A7, B1)',
    on: 'both',
    tags: ['impair'],
    needs: 'postgres',
    atMostMs: 20,
    act: ({ machine }) => machine.postgres.terminateBackends(),
  },
  {
    id: 'the table refuses writes (B1)',
    on: 'both',
    tags: ['impair'],
    needs: 'postgres',
    atMostMs: 20,
    act: (place) => fence(place),
  },
  {
    id: 'what kine had begun has ended before a hand-over (A7)',
    on: 'leader',
    tags: ['handover'],
    needs: 'postgres',
    atMostMs: 20,
    act: ({ machine }) => machine.postgres.terminateBackends(),
  },
  {
    id: 'the table refuses writes before a hand-over (A7)',
    on: 'leader',
    tags: ['handover'],
    needs: 'postgres',
    atMostMs: 20,
    act: (place) => fence(place),
  },
  {
    id: 'the follower has everything (A3, A7)',
    on: 'leader',
    tags: ['pair', 'handover'],
    needs: 'postgres',
    atMostMs: 20,
    act: async (place) => {
      const { machine, meta } = place
      const { postgres } = machine
      const position = postgres.log.length
      const has = () => {
        const slot = meta.slot === null ? undefined : postgres.slots.get(meta.slot)
        return slot !== undefined && slot.confirmed >= position
      }
      if (!(await until(place, FLUSH_BOUND_MS, has)))
        throw new Trouble('the follower does not have everything')
    },
  },
  {
    id: "a number for the table's content",
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
