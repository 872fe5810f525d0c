import { expect, test } from 'vitest'
import { answers, leading, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { leader } from '../support/settled_agents.ts'

test.each(['missing', 'lost'] as const)(
  'a leader alone whose commits are released gets over it: a slot that is %s is made anew, and it is settled (B7, B3)',
  async (slot) => {
    const gone = { slot, streaming: false, flushedBytes: null } as const
    const host = await leader({ meta: pairMeta({ term: 3, mode: 'alone' }) })
    host.converges = { alone: () => DONE, role: () => DONE }
    // The look that fell between hostMeta and the release still saw a commit wait.
    await host.rounds(1, { ...SILENT, ...leading({ ...gone, oldestWaitMs: 1600 }) })
    const released = leading({ ...gone, synchronous: false })
    await host.rounds(3, released)
    const back = answers({ meta: pairMeta({ term: 3, mode: 'alone' }), lacksSlot: true })
    await host.rounds(20, { ...back, ...released })
    const releases = host.log.filter((line) => line === 'converge alone urgent')
    expect(releases.length).toBeLessThan(5)
    expect(host.log).toContain('meta 4/1 alone h1 h2_1_2')
  },
)
