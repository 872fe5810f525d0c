import { connect as connectSocket, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import ssh2, { type AnyAuthMethod, type Client, type ConnectConfig, type ParsedKey } from 'ssh2'
import { TwonodeError, type ErrorKind } from '../core/errors.ts'
import { countBursts } from './bursts.ts'
import { loadHostKeyCheck, type HostKeyCheck } from './host_key.ts'
import { offersOf, type AskPassphrase, type Offers } from './identities.ts'
import { takeShortcuts, type Shortcuts } from './shortcuts.ts'
import { describe, type ConnectSettings } from './settings.ts'

export interface ConnectPorts {
  readonly askPassphrase: AskPassphrase
  readonly onNote: (message: string) => void
}

/** One authenticated connection to a host, hops included. */
export interface Connection {
  readonly client: Client
  /** Client bursts so far, on the socket that leaves this machine. */
  readonly bursts: () => number
  readonly close: () => void
}

/** @unit milliseconds between two keepalives; 3 unanswered ones end the connection */
const KEEPALIVE_INTERVAL_MS = 15_000

/** @unit milliseconds: what a polite goodbye may take before the socket is torn down */
const CLOSE_MS = 1_000

/** Longer chains are a configuration that loops. */
const MOST_HOPS = 8

/**
 * Connects through all hops and logs in. Each hop's host key is verified like the host's own.
 *
 * @throws TwonodeError `E_UNREACHABLE`, `E_HOST_KEY`, `E_AUTH` or `E_KEY`
 */
export async function connect(settings: ConnectSettings, ports: ConnectPorts): Promise<Connection> {
  const chain = [...settings.proxyJump, settings]
  if (chain.length > MOST_HOPS)
    throw new TwonodeError(
      'E_UNREACHABLE',
      `${settings.name}: more than ${MOST_HOPS - 1} jump hosts`,
    )
  const clients: Client[] = []
  const close = () => clients.toReversed().forEach(closeClient)
  let bursts = countNothing
  try {
    for (const [index, hop] of chain.entries()) {
      const before = clients[index - 1]
      // Files are read while TCP connects.
      const [transport, hostKeys] = await settleBoth(
        before === undefined ? openSocket(hop) : openTunnel(before, hop, settings),
        loadHostKeyCheck(hop, ports.onNote),
      )
      if (before === undefined) bursts = countBursts(transport as Socket)
      clients.push(await logIn({ settings: hop, transport, hostKeys, ports }))
    }
  } catch (error) {
    close()
    throw error
  }
  // The chain is never empty: its last link is the host itself.
  return { client: clients.at(-1) as Client, bursts, close }
}

/** Replaced by the first socket's counter. */
const countNothing = () => 0

/** As Promise.all, but a socket that opened beside a failure is not left behind. */
async function settleBoth<T>(socket: Promise<Duplex>, other: Promise<T>): Promise<[Duplex, T]> {
  try {
    return await Promise.all([socket, other])
  } catch (error) {
    socket.then(
      (opened) => opened.destroy(),
      () => undefined,
    )
    throw error
  }
}

function openSocket(settings: ConnectSettings): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { address, port, connectTimeoutMs } = settings
    const socket = connectSocket({ host: address, port, noDelay: true })
    const fail = (reason: string, cause?: Error) => {
      clearTimeout(timer)
      socket.destroy()
      const message = `${describe(settings)}: ${reason}`
      reject(new TwonodeError('E_UNREACHABLE', message, { cause }))
    }
    const timer = setTimeout(
      () => fail(`no answer within ${connectTimeoutMs / 1000} s`),
      connectTimeoutMs,
    )
    const onError = (error: Error) => fail(explainSocketError(error), error)
    socket.once('error', onError)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', onError)
      resolve(socket)
    })
  })
}

const SOCKET_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is sshd running, and is the port right?',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to its network',
  ETIMEDOUT: 'no answer',
  ENOTFOUND: 'its name can not be resolved',
  EAI_AGAIN: 'its name can not be resolved: the resolver does not answer',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
}

function explainSocketError(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return SOCKET_ERRORS[code] ?? error.message
}

function openTunnel(hop: Client, to: ConnectSettings, goal: ConnectSettings): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(timer)
      const via = goal.proxyJump.map(describe).join(', ')
      reject(new TwonodeError('E_UNREACHABLE', `${describe(to)} through ${via}: ${reason}`))
    }
    const timer = setTimeout(() => fail('no answer from the jump host'), to.connectTimeoutMs)
    hop.forwardOut('127.0.0.1', 0, to.address, to.port, (error, channel) => {
      if (error !== undefined) return fail(error.message)
      clearTimeout(timer)
      resolve(channel)
    })
  })
}

interface LogIn {
  readonly settings: ConnectSettings
  readonly transport: Duplex
  readonly hostKeys: HostKeyCheck
  readonly ports: ConnectPorts
}

/** Key exchange and authentication on an open transport. */
function logIn({ settings, transport, hostKeys, ports }: LogIn): Promise<Client> {
  const client = new ssh2.Client()
  return new Promise((resolve, reject) => {
    const patience = new Patience(settings.connectTimeoutMs, () =>
      fail(new TwonodeError('E_UNREACHABLE', `${describe(settings)}: ssh does not answer`)),
    )
    const fail = (error: Error) => {
      patience.end()
      client.destroy()
      transport.destroy()
      reject(error)
    }
    let shortcuts: Shortcuts | undefined
    const offers = offersOf(settings, (path) => patience.pause(ports.askPassphrase(path)))
    client.on('error', (error: Error & { level?: string }) => {
      // An agent that fails to sign with one key: ssh2 goes on with the next by itself.
      if (error.level !== 'agent') fail(explain(settings, error, offers))
    })
    client.once('close', () =>
      fail(explain(settings, new Error('the connection was closed'), offers)),
    )
    client.once('ready', () => {
      patience.end()
      resolve(client)
    })
    const config: ConnectConfig = {
      sock: transport,
      username: settings.user,
      readyTimeout: 0,
      keepaliveInterval: KEEPALIVE_INTERVAL_MS,
      keepaliveCountMax: 3,
      algorithms: { serverHostKey: [...hostKeys.algorithms] },
      hostVerifier: (key: Buffer, accept: (right: boolean) => void) => {
        hostKeys.verify(key).then(() => accept(true), fail)
      },
      authHandler: (methodsLeft, _partial, next) => {
        const refused = methodsLeft !== null && !methodsLeft.includes('publickey')
        const offer = refused ? Promise.resolve(undefined) : nextOffer(offers, shortcuts)
        // ssh2 takes `false` for "no more"; its types do not say so.
        offer.then((method) => next(method ?? (false as never))).catch(fail)
      },
    }
    client.connect(config)
    shortcuts = takeShortcuts(client)
  })
}

/** The next key; the first one, when it is open already, is signed with at once. */
async function nextOffer(
  offers: Offers,
  shortcuts: Shortcuts | undefined,
): Promise<AnyAuthMethod | undefined> {
  const method = await offers.next()
  const key = method?.type === 'publickey' ? (method.key as ParsedKey) : undefined
  if (key !== undefined && offers.offered.length === 1) shortcuts?.signAtOnce(key)
  // Which hash an RSA key may sign with comes along with the acceptance; an agent may hold one.
  if (key === undefined || key.type === 'ssh-rsa') await shortcuts?.accepted
  return method
}

function explain(settings: ConnectSettings, error: Error, { offered }: Offers): TwonodeError {
  const level = 'level' in error ? error.level : undefined
  const isAuth =
    level === 'client-authentication' || /too many authentication failures/i.test(error.message)
  const kind: ErrorKind = isAuth ? 'E_AUTH' : 'E_UNREACHABLE'
  const user = `${settings.user}@${describe(settings)}`
  const keys = offered.length === 0 ? 'there was no key to offer' : `offered: ${offered.join(', ')}`
  const message = isAuth
    ? `${user}: log-in refused; ${keys}`
    : `${describe(settings)}: ${explainSocketError(error)}`
  return new TwonodeError(kind, message, { cause: error })
}

/** A deadline that stands still while a person types. */
class Patience {
  #left: number
  #since = Date.now()
  #timer: NodeJS.Timeout | undefined
  readonly #onOver: () => void

  constructor(durationMs: number, onOver: () => void) {
    this.#left = durationMs
    this.#onOver = onOver
    this.#arm()
  }

  #arm(): void {
    this.#since = Date.now()
    this.#timer = setTimeout(this.#onOver, Math.max(this.#left, 0))
  }

  async pause<T>(typing: Promise<T>): Promise<T> {
    clearTimeout(this.#timer)
    this.#left -= Date.now() - this.#since
    try {
      return await typing
    } finally {
      this.#arm()
    }
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

function closeClient(client: Client): void {
  client.end()
  // A peer that is gone never answers the goodbye.
  setTimeout(() => client.destroy(), CLOSE_MS).unref()
}
