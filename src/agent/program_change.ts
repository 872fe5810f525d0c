import { messageOf } from '../core/errors.ts'
import { runCommand } from '../host/command.ts'
import { isSilent } from '../pair/facts.ts'
import type { AgentParts } from './assemble.ts'
import { readOwnSite } from './own_site.ts'

/** A leader starts anew this long after its follower: two at once would not know each other. @unit milliseconds */
const LEADER_WAITS_MS = 6_000

/** A leader whose follower does not answer waits so long for it, and no longer. @unit milliseconds */
const PEER_TIMEOUT_MS = 60_000

/** Starting takes a tenth of a second, and seconds where nothing of the program is in memory. @unit milliseconds */
const TRIAL_TIMEOUT_MS = 30_000

const POLL_MS = 500

/**
 * Resolves when this agent may end for the one of a site that has replaced its own. False: that one could
 * not run, and ours goes on with what it holds in memory.
 */
export async function mayBeReplaced(parts: AgentParts, stop: AbortSignal): Promise<boolean> {
  const { site, faults } = parts
  try {
    readOwnSite(site.host)
    await tryNewProgram(site.host)
  } catch (error) {
    faults.tell('site', messageOf(error))
    return false
  }
  await afterTheFollower(parts, stop)
  return true
}

/**
 * A trial of the program that comes next: it reads the site and loads everything, which also leaves in
 * memory and in the compile cache what a start would wait for.
 */
async function tryNewProgram(host: string): Promise<void> {
  const [program = ''] = process.argv.slice(1)
  const argv = [process.execPath, ...process.execArgv, program, 'try', '--host', host]
  const { code, stderr } = await runCommand(argv, { timeoutMs: TRIAL_TIMEOUT_MS })
  if (code !== 0) throw new Error(`the agent of the new site does not start: ${stderr.trim()}`)
}

async function afterTheFollower({ core, clock }: AgentParts, stop: AbortSignal): Promise<void> {
  const { meta, self, peer } = core.facts()
  if (meta?.leader !== self) return
  // A record of mode alone is all that a leader needs (A5): it waits for no peer that it has lost.
  if (meta.mode === 'alone' && isSilent(peer)) return
  await clock.sleep(LEADER_WAITS_MS, stop)
  const deadline = clock.now() + PEER_TIMEOUT_MS
  while (!stop.aborted && clock.now() < deadline && core.facts().peer.contact !== 'answers')
    await clock.sleep(POLL_MS, stop)
}
