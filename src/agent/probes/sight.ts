import { join } from 'node:path'
import { postgresOf, sidesOf, type Site, type SiteHost } from '../../core/site.ts'
import { timingOf } from '../../pair/timing.ts'
import type { Faults } from '../faults.ts'
import type { PeerClient } from '../peer_client.ts'
import type { Clock, Heard, PostgresSighting, Sight, Sighting } from '../ports.ts'
import { Disk } from './disk.ts'
import { Carrier, readMemoryPressure } from './machine.ts'
import { Ping } from './ping.ts'
import { PostgresProbe } from './postgres.ts'
import { Script } from './script.ts'
import { probeTcp } from './tcp.ts'

/** Of k3s, on every server: the peer's API server shows that the peer lives, whatever its agent does. */
const API_SERVER_PORT = 6443

export interface SightOptions {
  readonly site: Site
  /** This host's name. */
  readonly host: string
  readonly clock: Clock
  readonly faults: Faults
  readonly client: Pick<PeerClient, 'status'>
  /** Where PostgreSQL's socket is, and as whom it is asked. */
  readonly postgres?: { readonly socketDirectory: string; readonly user: string }
}

/** The real eyes and ears of an agent. They are open from the start until `close`. */
export interface LocalSight extends Sight {
  readonly close: () => Promise<void>
}

export function createSight(options: SightOptions): LocalSight {
  return new Eyes(options)
}

class Eyes implements LocalSight {
  readonly #options: SightOptions
  readonly #own: SiteHost
  readonly #other: SiteHost
  /** @unit milliseconds */
  readonly #timeoutMs: number
  readonly #peerPing: Ping
  readonly #gateways: readonly Ping[]
  readonly #postgres: PostgresProbe
  readonly #disk: Disk
  readonly #carrier: Carrier
  readonly #script: Script | undefined

  constructor(options: SightOptions) {
    const { site, host, faults } = options
    const { own, peer } = sidesOf(site, host)
    const { intervalMs, script, scriptIntervalMs, scriptTimeoutMs } = site.liveness
    this.#options = options
    this.#own = own
    this.#other = peer
    this.#timeoutMs = timingOf(site.liveness).probeTimeoutMs
    this.#peerPing = this.#ping(this.#other.address)
    this.#gateways = site.gateways.map((address) => this.#ping(address))
    this.#postgres = new PostgresProbe({
      socketDirectory: '/var/run/postgresql',
      user: 'postgres',
      ...options.postgres,
      port: site.postgres.port,
      database: site.postgres.database,
    })
    this.#carrier = new Carrier(this.#own.address)
    const { dataDirectory } = postgresOf(site, host)
    // The WAL may have a file system of its own; the last is where converges write.
    const measured = [join(dataDirectory, 'pg_wal'), '/etc/twonode']
    this.#disk = new Disk({ tried: [site.stateDirectory, dataDirectory], measured }, faults)
    if (script !== null)
      this.#script = new Script({
        path: script,
        intervalMs: Math.max(scriptIntervalMs, intervalMs),
        timeoutMs: scriptTimeoutMs,
        faults,
      })
  }

  readonly look: Sight['look'] = async ({ meta }) => {
    const { site, client, clock } = this.#options
    const timeoutMs = this.#timeoutMs
    const { address, port } = site.controlPlaneEndpoint
    const slot = meta?.leader === this.#own.name ? meta.slot : null
    const [peerAgent, peerApi, endpoint, postgres, disk] = await Promise.all([
      client.status(timeoutMs),
      probeTcp({ address: this.#other.address, port: API_SERVER_PORT, timeoutMs }, clock),
      probeTcp({ address, port, timeoutMs }, clock),
      within(this.#postgres.look(slot), timeoutMs, () => noAnswer(timeoutMs)),
      within(this.#disk.look(), timeoutMs, () => this.#disk.last),
    ])
    return {
      // Last: what came while the others were waited for is in this look.
      gateway: this.#gateway((ping) => ping.take()),
      peerPing: this.#peerPing.take(),
      peerAgent,
      peerApi,
      endpoint: endpoint !== null,
      script: this.#script?.last ?? null,
      postgres,
      disk,
      carrier: this.#carrier.read(),
      memoryPressure: readMemoryPressure(),
    } satisfies Sighting
  }

  readonly heard: Sight['heard'] = () => ({
    gateway: this.#gateway((ping) => ping.heard),
    peerPing: this.#peerPing.heard,
  })

  readonly close = async (): Promise<void> => {
    for (const ping of [this.#peerPing, ...this.#gateways]) ping.stop()
    this.#script?.stop()
    await this.#postgres.stop()
  }

  #gateway(of: (ping: Ping) => Heard | null): Heard | 'none' | null {
    if (this.#gateways.length === 0) return 'none'
    const heard = this.#gateways.map(of).filter((one) => one !== null)
    return heard.toSorted((a, b) => b.sentAt - a.sentAt)[0] ?? null
  }

  #ping(address: string): Ping {
    const { site, clock, faults } = this.#options
    const { intervalMs } = site.liveness
    return new Ping({ address, intervalMs, timeoutMs: this.#timeoutMs, clock, faults })
  }
}

/** What it gives in time, or what is said instead; it goes on, and is asked again when it has ended. */
async function within<T>(answer: Promise<T>, timeoutMs: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late()), timeoutMs)
  })
  try {
    return await Promise.race([answer.catch(late), over])
  } finally {
    clearTimeout(timer)
  }
}

function noAnswer(timeoutMs: number): PostgresSighting {
  return { up: false, starting: false, why: `no answer within ${timeoutMs} ms` }
}
