import type { Client, ParsedKey } from 'ssh2'

/**
 * Round trips of ssh2's that the protocol does not ask for (RFC 4252 lets a client send both requests
 * at once; OpenSSH and dropbear take packets in order):
 *
 * - waiting for SERVICE_ACCEPT before the first USERAUTH_REQUEST;
 * - asking whether a key would do before signing with it, when it is the first and already open;
 * - having the host prove its other host keys, which nobody here looks at.
 *
 * ssh2 has no option for either, so this leans on its inside (1.17.0, pinned). Where that is not as
 * expected nothing happens, and the log-in costs three turns more.
 */
export interface Shortcuts {
  /** Settles when the server has accepted the service: its signature algorithms are known by then. */
  readonly accepted: Promise<void>
  /** Sign with this key at once when it is offered. */
  readonly signAtOnce: (key: ParsedKey) => void
}

type Sign = (data: Buffer, done: (signature: Buffer) => void) => void

interface Protocol {
  service: (name: string) => void
  authPK: (user: string, key: ParsedKey, algorithm?: string, sign?: Sign) => void
  readonly _handlers: {
    SERVICE_ACCEPT: (protocol: Protocol, name: string) => void
    GLOBAL_REQUEST: (protocol: Protocol, name: string, ...more: unknown[]) => void
  }
}

/** To be called right after `client.connect()`. */
export function takeShortcuts(client: Client): Shortcuts {
  const protocol = insideOf(client)
  if (protocol === undefined) return { accepted: Promise.resolve(), signAtOnce: () => undefined }
  passOverHostKeys(protocol)
  return { accepted: askEarly(protocol), signAtOnce: allowSigning(protocol) }
}

function insideOf(client: Client): Protocol | undefined {
  const { _protocol: protocol } = client as unknown as { _protocol?: Partial<Protocol> }
  const fits =
    typeof protocol?.service === 'function' &&
    typeof protocol.authPK === 'function' &&
    typeof protocol._handlers?.SERVICE_ACCEPT === 'function' &&
    typeof protocol._handlers.GLOBAL_REQUEST === 'function'
  return fits ? (protocol as Protocol) : undefined
}

/** OpenSSH sends its other keys after the log-in, wanting no reply; ssh2 asks it to prove them. */
function passOverHostKeys({ _handlers: handlers }: Protocol): void {
  const handle = handlers.GLOBAL_REQUEST
  handlers.GLOBAL_REQUEST = (self, name, ...more) => {
    if (name !== 'hostkeys-00@openssh.com') handle(self, name, ...more)
  }
}

function askEarly(protocol: Protocol): Promise<void> {
  const service = protocol.service.bind(protocol)
  const goOn = protocol._handlers.SERVICE_ACCEPT
  return new Promise((resolve) => {
    let isEarly = false
    protocol.service = (name) => {
      service(name)
      isEarly = true
      goOn(protocol, name)
    }
    protocol._handlers.SERVICE_ACCEPT = (self, name) => {
      resolve()
      if (!isEarly) goOn(self, name)
    }
  })
}

function allowSigning(protocol: Protocol): (key: ParsedKey) => void {
  const authPK = protocol.authPK.bind(protocol)
  let chosen: ParsedKey | undefined
  protocol.authPK = (user, key, algorithm, sign) => {
    const signature = sign === undefined && key === chosen ? signer(key, algorithm) : sign
    chosen = undefined
    if (signature === undefined) authPK(user, key, algorithm)
    else authPK(user, key, algorithm, signature)
  }
  return (key) => {
    chosen = key
  }
}

function signer(key: ParsedKey, algorithm: string | undefined): Sign {
  const hash = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' }[algorithm ?? '']
  return (data, done) => {
    const signature = key.sign(data, hash) as Buffer | Error
    if (signature instanceof Error) throw signature
    done(signature)
  }
}
