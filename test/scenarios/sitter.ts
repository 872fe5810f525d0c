import type { Ports } from '../../src/agent/ports.ts'
import { SAYS } from '../support/agent_sightings.ts'
import type { RunningAgent } from './running_agent.ts'

/** An agent that settles its host once, and then sits there: for tests of the world itself. */
export function sitter(ports: Ports): RunningAgent {
  const stop = new AbortController().signal
  let says: ReturnType<RunningAgent['status']> = SAYS
  const settle = async () => {
    const { meta } = await ports.store.readMeta()
    if (meta === null) return
    says = { ...says, meta }
    for (let round = 0; round < 10; round++) {
      const wanted = { meta, tags: ['role'], urgent: false, stop }
      const { kind } = await ports.engine.converge(wanted)
      if (kind === 'done') return
      await ports.clock.sleep(1_000, stop)
    }
  }
  void settle()
  return {
    status: () => says,
    voidProof: () => Promise.resolve(false),
    handOver: () => Promise.resolve({ ok: false, why: 'it only sits there' }),
    ask: () => undefined,
    frozen: () => false,
  }
}
