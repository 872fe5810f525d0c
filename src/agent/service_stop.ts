import { existsSync, rmSync } from 'node:fs'
import type { VirtualIp } from '../core/site.ts'
import { runCommand } from '../host/command.ts'
import type { Engine, StoppingEngine } from './ports.ts'

/** Without it kine's unit starts no kine; what brings it back is a converge of the role. */
export const PERMIT = '/run/twonode/kine.permit'

/** And what answers reads where a leader waited: it may be superseded by now (A8). */
const UNITS = ['kine.service', 'kine-reads.service', 'k3s-reads.service']

const KILL = ['systemctl', 'kill', '--signal=SIGKILL', ...UNITS]

/** @unit milliseconds */
const KILL_TIMEOUT_MS = 5_000

/**
 * A host that must stop taking writes waits for nobody: a laptop's converge may hold the lock for the
 * three seconds that it has to end, and kine would go on meanwhile (A8, B1). Nor for its disk: an engine
 * that can't write its journal changes nothing, and the virtual address would stay beside the next
 * leader's. These steps of `impair` are the same whoever does what else; the converge itself does them
 * again, and the rest.
 */
export function stoppingServiceFirst(engine: Engine, stopServing: () => void): StoppingEngine {
  return {
    stopServing,
    converge: async (wanted) => {
      if (wanted.tags.includes('impair')) stopServing()
      return await engine.converge(wanted)
    },
  }
}

/**
 * As an agent starts: one that was killed between taking the permit away and stopping kine has left a kine
 * that no guard stops while this one is heard (B9). Without a permit there is nothing that may run.
 */
export function killUnpermitted(
  virtualIp: VirtualIp | null,
  { permit = PERMIT, run = runCommand } = {},
): void {
  if (!existsSync(permit)) killService(virtualIp, { permit, run })
}

/** Begun and not waited for: kine, and the address by which its API server is asked. */
export function killService(
  virtualIp: VirtualIp | null,
  { permit = PERMIT, run = runCommand } = {},
): void {
  try {
    // First: systemd would start it anew. At once: what the converge reads is how it stays.
    rmSync(permit, { force: true })
  } catch {
    // The converge finds it, fails at it and tells so.
  }
  // It may have no kine to kill: whatever is wrong, the converge tells.
  run(KILL, { timeoutMs: KILL_TIMEOUT_MS }).catch(() => undefined)
  if (virtualIp === null) return
  const address = `${virtualIp.address}/${virtualIp.prefix}`
  const remove = ['ip', 'address', 'del', address, 'dev', virtualIp.interface]
  run(remove, { timeoutMs: KILL_TIMEOUT_MS }).catch(() => undefined)
}
