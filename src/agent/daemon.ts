import { existsSync } from 'node:fs'
import { EXIT, type ExitCode, messageOf } from '../core/errors.ts'
import { type AgentParts, assemble } from './assemble.ts'
import { answerControl } from './control_answers.ts'
import { CONTROL_SOCKET, openControlSocket } from './control_socket.ts'
import { ALIVE_FILE } from './heartbeat.ts'
import { killUnpermitted } from './service_stop.ts'
import { openLocalEngine } from './local_engine.ts'
import { ownRedactor } from './own_redaction.ts'
import { type OwnSite, readOwnSite } from './own_site.ts'
import { startUpkeep } from './upkeep.ts'

export interface DaemonSettings {
  /** This host's name in the site. */
  readonly host: string
  /** Content hash of the bundle that runs. */
  readonly bundle: string
}

/** A site that can't be read is looked at again so often. @unit milliseconds */
const SITE_RETRY_MS = 2_000

/** What is under way may take so long to end when the agent is told to: below the unit's bound. @unit milliseconds */
const FINISH_MS = 20_000

/** A peer API that does not get its port or certificate by then keeps nobody waiting. @unit milliseconds */
const API_TIMEOUT_MS = 2_000

const ENDING = ['SIGTERM', 'SIGINT'] as const

/** The agent of this host, until it is told to end or its site is replaced. */
export async function runDaemon({ host, bundle }: DaemonSettings): Promise<ExitCode> {
  const site = siteOf(host)
  if (site === undefined) {
    // systemd starts us anew, perhaps with another bundle.
    await new Promise((resolve) => setTimeout(resolve, SITE_RETRY_MS))
    return EXIT.unsafe
  }
  // In memory: the first agent of a boot finds none.
  const what = existsSync(ALIVE_FILE) ? 'started' : 'booted'
  const redact = await ownRedactor(site)
  const parts = assemble(site, await openLocalEngine({ site, bundle, redact }), redact)
  tellOf(parts, what)
  const stop = new AbortController()
  for (const signal of ENDING) process.once(signal, () => void endWhenIdle(parts, stop))
  await serve(parts, stop)
  return EXIT.done
}

/** Everything that a start does, and nothing that another process would see. */
export async function tryDaemon({ host, bundle }: DaemonSettings): Promise<ExitCode> {
  const engine = await openLocalEngine({ site: readOwnSite(host), bundle })
  await engine.close()
  return EXIT.done
}

/**
 * Without its site an agent knows nothing, and must not say that it is alive: the guard stops kine then.
 */
function siteOf(host: string): OwnSite | undefined {
  try {
    return readOwnSite(host)
  } catch (error) {
    process.stderr.write(`this host can not converge itself: ${messageOf(error)}\n`)
    return undefined
  }
}

function tellOf({ journal, clock }: AgentParts, what: 'started' | 'booted' | 'ended'): void {
  journal.note({ kind: 'agent', what, seconds: Math.round(clock.now() / 1000) })
}

async function serve(parts: AgentParts, stop: AbortController): Promise<void> {
  const { core, api, notifier, heartbeat, engine, site } = parts
  killUnpermitted(site.plan.site.virtualIp)
  await core.start()
  heartbeat.beat()
  const listening = api.start(stop.signal)
  // It answers before anything else is done here (B8).
  await Promise.race([listening, parts.clock.sleep(API_TIMEOUT_MS, stop.signal)])
  const control = await openControlSocket(CONTROL_SOCKET, answerControl(parts))
  const upkeep = startUpkeep(parts, { stop: stop.signal, end: () => endWhenIdle(parts, stop) })
  notifier.ready()
  try {
    await core.run(stop.signal)
  } finally {
    upkeep.end()
    notifier.stop()
    parts.client.close()
    await Promise.all([control.close(), api.close(), engine.close(), parts.sight.close()])
    tellOf(parts, 'ended')
    await parts.journal.flush()
  }
}

/** Rounds go on meanwhile, so a promotion that begins now is finished as well. */
async function endWhenIdle({ core, clock }: AgentParts, stop: AbortController): Promise<void> {
  await Promise.race([core.idle(), clock.sleep(FINISH_MS, stop.signal)])
  stop.abort()
}
