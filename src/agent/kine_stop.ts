import { rmSync } from 'node:fs'
import { runCommand } from '../host/command.ts'
import type { Engine, StoppingEngine } from './ports.ts'

/** Without it kine's unit starts no kine; what brings it back is a converge of the role. */
export const PERMIT = '/run/twonode/kine.permit'

const KILL = ['systemctl', 'kill', '--signal=SIGKILL', 'kine.service']

/** @unit milliseconds */
const KILL_TIMEOUT_MS = 5_000

/**
 * A host that must stop taking writes waits for nobody: a laptop's converge may hold the lock for the
 * three seconds that it has to end, and kine would go on meanwhile (A8, B1). These two steps of `impair`
 * are the same whoever does what else; the converge itself does them again, and the rest.
 */
export function stoppingKineFirst(engine: Engine, stopKine: () => void = killKine): StoppingEngine {
  return {
    stopKine,
    converge: async (wanted) => {
      if (wanted.tags.includes('impair')) stopKine()
      return await engine.converge(wanted)
    },
  }
}

/** Begun and not waited for. */
export function killKine({ permit = PERMIT, run = runCommand } = {}): void {
  try {
    // First: systemd would start it anew. At once: what the converge reads is how it stays.
    rmSync(permit, { force: true })
  } catch {
    // The converge finds it, fails at it and tells so.
  }
  // It may have no kine to kill: whatever is wrong, the converge tells.
  run(KILL, { timeoutMs: KILL_TIMEOUT_MS }).catch(() => undefined)
}
