import { Agent } from 'node:https'
import { connect as connectTcp, type Socket } from 'node:net'
import { PassThrough, type Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { names, type TlsMaterial, tlsOptions } from './tls_files.ts'

export interface PeerAddress {
  readonly address: string
  readonly port: number
  /** Whom the certificate on the other side has to name. */
  readonly peer: string
}

/**
 * A connection takes three trips and may be made over some rounds; then it is made anew.
 * @unit milliseconds
 */
const CONNECT_TIMEOUT_MS = 1_000

type Done = (error: Error | null, socket: Duplex) => void

/** There is no connection that this request could be sent on. Nothing was sent. */
export class NotConnected extends Error {
  override readonly name = 'NotConnected'
}

/**
 * Connections to the peer's agent that are made before they are used: a question's time starts when it
 * is sent, so that its answer tells of that moment and of none before.
 */
export class PeerConnections extends Agent {
  readonly #at: PeerAddress
  readonly #material: TlsMaterial
  #connecting: Promise<void> | undefined
  /** Made, and used for nothing yet. */
  #fresh: TLSSocket | undefined
  /** What each one runs on. */
  readonly #wires = new WeakMap<Duplex, Socket>()

  constructor(at: PeerAddress, material: TlsMaterial) {
    super({ keepAlive: true, maxFreeSockets: 2 })
    this.#at = at
    this.#material = material
  }

  /** Resolves when a request can be sent; an attempt goes on beyond `patienceMs`. @throws what broke it */
  async ready(patienceMs: number): Promise<void> {
    if (this.#isReady()) return
    this.#connecting ??= this.#connect()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no connection in time')), patienceMs)
    })
    try {
      await Promise.race([this.#connecting, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Called by http for a request that finds no idle connection: there is a fresh one, see ready. */
  override createConnection(_: unknown, done?: Done): TLSSocket | undefined {
    const fresh = this.#fresh
    this.#fresh = undefined
    // Another request was faster: this one has to be readied again.
    if (fresh === undefined) process.nextTick(() => done?.(new NotConnected(), new PassThrough()))
    return fresh
  }

  /**
   * Ends a connection whose answer is not waited for any more, and forgets what is not sent yet. Closed in
   * good order TCP would send it for minutes: a word that was given up would arrive behind a cut (A7).
   */
  reset(socket: Duplex): void {
    this.#wires.get(socket)?.resetAndDestroy()
  }

  override destroy(): void {
    super.destroy()
    this.#fresh?.destroy()
    this.#fresh = undefined
  }

  #isReady(): boolean {
    const idle = Object.values(this.freeSockets).flatMap((sockets) => sockets ?? [])
    return this.#fresh !== undefined || idle.some((socket) => !socket.destroyed)
  }

  async #connect(): Promise<void> {
    const socket = this.#open()
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => socket.destroy(new Error('no answer')), CONNECT_TIMEOUT_MS)
        socket.once('secureConnect', () => {
          clearTimeout(timer)
          resolve()
        })
        socket.on('error', reject)
        socket.once('close', () => {
          clearTimeout(timer)
          reject(new Error('closed'))
        })
      })
      this.#fresh = socket
      socket.once('close', () => {
        if (this.#fresh === socket) this.#fresh = undefined
      })
    } finally {
      this.#connecting = undefined
    }
  }

  #open(): TLSSocket {
    const { address, port, peer } = this.#at
    const wire = connectTcp({ host: address, port, noDelay: true })
    const socket = connect({
      ...tlsOptions(this.#material),
      socket: wire,
      // An address is no name that TLS could send; whom we look for is in the certificate.
      servername: '',
      checkServerIdentity: (_, certificate) => {
        if (names(certificate, peer)) return undefined
        const stranger = new Error(`its certificate does not name ${peer}`)
        return Object.assign(stranger, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
      },
    })
    this.#wires.set(socket, wire)
    return socket
  }
}
