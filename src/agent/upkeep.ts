import type { AgentParts } from './assemble.ts'
import { tellOfGuard } from './guard_word.ts'
import { standing } from './local_text.ts'
import { mayBeReplaced } from './program_change.ts'

/** Between two looks at whether the site or a certificate was replaced. @unit milliseconds */
const UPKEEP_MS = 2_000

/** A site whose program does not start, and a renewal of what has expired, are tried again so often. @unit milliseconds */
const TRIAL_AGAIN_MS = 60_000

/** Between two looks at what was saved of losing branches. @unit milliseconds */
const SALVAGE_MS = 10_000

/** The host's own certificates are looked at when the agent has settled, and then so often. @unit milliseconds */
const FIRST_RENEWAL_MS = 3_600_000
const RENEWAL_MS = 24 * 3_600_000

/** Issues and renews this host's certificates, under the authority that is on this host. */
const RENEWAL_TAGS = ['certificates']

export interface Upkeep {
  readonly end: () => void
}

/**
 * Looks after what changes on the disk while the agent runs. `end` ends the agent when nothing is under
 * way: systemd starts it anew, with the site that has replaced its own.
 */
export function startUpkeep(
  parts: AgentParts,
  { stop, end }: { readonly stop: AbortSignal; readonly end: () => Promise<void> },
): Upkeep {
  const { clock, core, faults, journal, notifier } = parts
  const renewal = { at: clock.now() + FIRST_RENEWAL_MS, lastAt: -Infinity }
  let [tryAt, salvageAt] = [0, 0]
  const keepUp = async () => {
    notifier.status(standing(parts.site.host, core.status()))
    await tellOfGuard((entry) => journal.note(entry))
    await refreshCertificates(parts)
    if (clock.now() >= salvageAt) {
      salvageAt = clock.now() + SALVAGE_MS
      // Not waited for: it may read a whole table.
      void parts.salvages.look()
      void parts.comparison.look()
    }
    if (parts.site.isReplaced() && clock.now() >= tryAt) {
      tryAt = clock.now() + TRIAL_AGAIN_MS
      if (await mayBeReplaced(parts, stop)) return await end()
    }
    // A host that was off for months comes back with one that nobody takes any more.
    const dueAt = parts.tls.isExpired ? renewal.lastAt + TRIAL_AGAIN_MS : renewal.at
    if (clock.now() < dueAt) return
    renewal.lastAt = clock.now()
    renewal.at = clock.now() + RENEWAL_MS
    await renewCertificates(parts, stop)
  }
  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    keepUp()
      .catch((error: unknown) => faults.tell('upkeep', String(error)))
      .finally(() => (isBusy = false))
  }, UPKEEP_MS)
  return { end: () => clearInterval(timer) }
}

async function refreshCertificates({ tls, api, client }: AgentParts): Promise<void> {
  if (!(await tls.refresh())) return
  api.reload()
  client.reload()
}

/** Whatever is more pressing ends it; it is tried again the next day, weeks before it must be done. */
async function renewCertificates(parts: AgentParts, stop: AbortSignal): Promise<void> {
  const { meta } = parts.core.facts()
  if (meta === null) return
  const wanted = { meta, tags: RENEWAL_TAGS, urgent: false, stop }
  const outcome = await parts.engine.converge(wanted)
  if (outcome.kind === 'failed') parts.faults.tell('certificates', outcome.message)
  else parts.faults.clear('certificates')
}
