import { describe, expect, test } from 'vitest'
import type { ConvergeOutcome } from '../../src/agent/ports.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import {
  answers,
  following,
  GATEWAY_LOST,
  GATEWAY_UP,
  leading,
  pairMeta,
  SILENT,
} from '../support/agent_sightings.ts'
import { ScriptedHost } from '../support/scripted_agent.ts'

const META = pairMeta()
const FORK = { from: 1, slot: null, lsn: null, count: 1, sum: '1', max: 1, compactRevision: 0 }
const DIGEST = { digest: { digest: 'abc' } }

/** A converge that does what it is told, and knows the fork point of a promotion. */
function done(meta: HostMeta): ConvergeOutcome {
  return {
    kind: 'done',
    changed: 1,
    registered: { ...DIGEST, ...(meta.branch > 1 ? { fork: { fork: FORK } } : {}) },
  }
}

const ALL = { role: done, alone: done, pair: done, impair: done, handover: done, digest: done }

interface Story {
  readonly self: string
  readonly meta: HostMeta
  /** Before the cut. */
  readonly calm: ScriptedHost['sighting'] | object
  /** What makes the host change. */
  readonly trouble: object
  /** What it sees after the power came back. */
  readonly after: (host: ScriptedHost) => object
  /** Where it must have arrived, whatever was cut. */
  readonly end: (host: ScriptedHost) => unknown
  readonly wanted: unknown
}

const agrees = (host: ScriptedHost) => answers({ meta: host.disk.meta })

const STORIES: Readonly<Record<string, Story>> = {
  'a promotion goes on once its hostMeta is on the disk, and is not begun before': {
    self: 'h2',
    meta: META,
    calm: { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') },
    trouble: SILENT,
    after: () => SILENT,
    end: ({ disk, core }) => {
      const { leader, fork } = disk.meta ?? pairMeta()
      return leader === 'h2'
        ? { fork, settled: core.status().settled }
        : { unproven: core.status().proofTerm }
    },
    wanted: [{ fork: FORK, settled: true }, { unproven: null }],
  },
  'a leader that goes alone is alone or as before, and takes writes again': {
    self: 'h1',
    meta: META,
    calm: { ...GATEWAY_UP, ...answers({ meta: META, proofTerm: 2 }), ...leading() },
    trouble: leading({ oldestWaitMs: 2000 }),
    after: (host) => ({ ...agrees(host), ...leading() }),
    end: ({ disk, core }) => ({ mode: disk.meta?.mode, settled: core.status().settled }),
    wanted: [{ mode: 'paired', settled: true }],
  },
  'pairing is done or not, and done in the end': {
    self: 'h1',
    meta: pairMeta({ mode: 'alone', term: 3 }),
    calm: { ...GATEWAY_UP, ...SILENT, ...leading() },
    trouble: answers({ meta: pairMeta({ mode: 'alone', term: 3 }) }),
    after: agrees,
    end: ({ disk, core }) => ({ mode: disk.meta?.mode, settled: core.status().settled }),
    wanted: [{ mode: 'paired', settled: true }],
  },
  'a hand-over leaves one leader, on both sides of its one write': {
    self: 'h1',
    meta: META,
    calm: { ...GATEWAY_UP, ...answers({ meta: META, proofTerm: 2 }), ...leading() },
    trouble: GATEWAY_LOST,
    after: (host) => ({ ...GATEWAY_UP, ...answers({ meta: host.disk.meta, proofTerm: 2 }) }),
    end: ({ disk, core }) => ({ leader: disk.meta?.leader, settled: core.status().settled }),
    wanted: [
      { leader: 'h1', settled: true },
      { leader: 'h2', settled: true },
    ],
  },
}

describe.each(Object.entries(STORIES))('%s (21, 22)', (_, story) => {
  test.each([0, 1, 2, 3, 4])('cut after %i writes', async (writes) => {
    const host = new ScriptedHost(story.self, {
      meta: story.meta,
      proof: { term: story.self === 'h2' ? 2 : 0, voided: 0 },
    })
    host.converges = ALL
    host.voids = () => true
    host.handOvers = ({ phase }) =>
      phase === 'digest' ? { ok: true, digest: 'abc' } : { ok: true }
    await host.core.start()
    await host.rounds(2, story.calm)
    host.writesLeft = writes
    await Promise.race([host.rounds(6, story.trouble), host.powerCut])
    await host.reboot()
    for (let round = 0; round < 8; round++) await host.rounds(1, story.after(host))
    expect(story.wanted).toContainEqual(story.end(host))
  })
})
