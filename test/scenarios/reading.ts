import type { Client, Kine } from './clients.ts'
import type { Life } from './virtual_time.ts'

/** What answers reads of a host's own table while it waits to know its role (A5), and who asks it. */
export class Reading implements Kine {
  life: Life = { alive: false, frozen: null }
  running = false
  readonly endpoint: string
  readonly #client: () => Client
  #reader: Client | undefined

  constructor(endpoint: string, client: () => Client) {
    this.endpoint = endpoint
    this.#client = client
  }

  start(): void {
    if (this.running) return
    this.life = { alive: true, frozen: null }
    this.running = true
    this.#reader = this.#client()
  }

  end(): void {
    this.life.alive = false
    this.running = false
    this.#reader?.stop()
  }
}
