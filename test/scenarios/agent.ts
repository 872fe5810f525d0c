import { AgentCore } from '../../src/agent/core.ts'
import type { Ports } from '../../src/agent/ports.ts'
import { type Timing, timingOf } from '../../src/pair/timing.ts'
import type { Partition, RunningAgent } from './running_agent.ts'

/** The default timing of an inventory. */
export const TIMING: Timing = timingOf({ intervalMs: 1_000, failures: 4 })

/** The real agent over simulated ports, as the daemon runs it. */
export function startAgent(ports: Ports, host: string, partition?: Partition): RunningAgent {
  return agentWith(ports, host, TIMING, partition)
}

export function agentWith(
  ports: Ports,
  self: string,
  timing: Timing,
  partition: Partition = 'availability',
): RunningAgent {
  const policy =
    partition === 'power'
      ? {
          partition: 'consistency' as const,
          acceptLossBytes: 0,
          fencing: { followerDelayMs: 3_000 },
        }
      : { partition, acceptLossBytes: 0 }
  const core = new AgentCore({ self, timing, policy, restricts: false }, ports)
  const stop = new AbortController().signal
  void core
    .start()
    .then(() => core.run(stop))
    .catch((error: unknown) => {
      // An agent that ends of itself is a defect whatever the pair does next.
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      ports.note({ kind: 'fault', what: 'crash', message })
    })
  return {
    status: () => core.onStatus(),
    voidProof: (term) => core.onVoidProof(term),
    handOver: (request) => core.onHandOver(request),
    ask: (asked) => void core.ask(asked),
    frozen: () => core.status().frozen,
  }
}
