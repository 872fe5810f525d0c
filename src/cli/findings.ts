import type { Event, SummaryEvent } from '../core/events.ts'

/** Counts what a `verify` found wrong, for the last word about each site. */
export class Findings {
  /** By host; the empty name is the run's own. */
  readonly #checks = new Map<string, number>()
  readonly #troubles = new Map<string, number>()

  /** What each host's checks have said so far. */
  readonly #said = new Set<string>()

  /** Counts it. True: a check of this host failed with the same words before, so it is no new finding. */
  heard(event: Event): boolean {
    if (event.event === 'step' && event.status !== 'ok' && event.status !== 'skipped') {
      const said = event.trouble && `${event.host}\0${event.trouble.message}`
      if (said !== undefined && this.#said.has(said)) return true
      if (said !== undefined) this.#said.add(said)
      count(this.#checks, event.host)
    }
    if (event.event === 'trouble') count(this.#troubles, event.host ?? '')
    return false
  }

  /** `healthy` or `2 findings`; the exit code says which, so that both always agree. */
  verdict({ exitCode, hosts }: SummaryEvent): string {
    if (exitCode === 0) return 'healthy'
    // A host that ends because of a check says so again as its trouble: one finding, not two.
    const counts = Object.keys(hosts).map(
      (host) => this.#checks.get(host) ?? this.#troubles.get(host) ?? 0,
    )
    const found = counts.reduce((sum, one) => sum + one, this.#troubles.get('') ?? 0)
    this.#troubles.delete('')
    return found <= 1 ? '1 finding' : `${found} findings`
  }
}

function count(counts: Map<string, number>, host: string): void {
  counts.set(host, (counts.get(host) ?? 0) + 1)
}
