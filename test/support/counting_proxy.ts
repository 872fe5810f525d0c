import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface CountingProxyOptions {
  readonly targetHost: string
  readonly targetPort: number
  /** Added in each direction; the round trip gets twice as much. @unit milliseconds */
  readonly delayMs?: number
}

/** A TCP relay that counts what a client's delay is paid for. */
export interface CountingProxy {
  readonly port: number
  /** Client bursts of each connection so far: sends that follow a receive, the first included. */
  readonly bursts: () => readonly number[]
  /** Connections are cut without a word: both ends wait. */
  readonly freeze: () => void
  /** Connections are closed at once. */
  readonly cut: () => void
  readonly stop: () => Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  bursts: number
  heardSince: boolean
}

/**
 * Stands between a client and a server on loopback. A burst begins with the first bytes from the
 * client after bytes went to it; what follows before the next answer belongs to the same burst.
 */
export async function startCountingProxy(options: CountingProxyOptions): Promise<CountingProxy> {
  const pairs: Pair[] = []
  let frozen = false
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({
      host: options.targetHost,
      port: options.targetPort,
      noDelay: true,
    })
    const pair: Pair = { client, server: upstream, bursts: 0, heardSince: true }
    pairs.push(pair)
    relay(client, upstream, () => {
      if (pair.heardSince) pair.bursts++
      pair.heardSince = false
    })
    relay(upstream, client, undefined, () => {
      pair.heardSince = true
    })
  })

  function relay(from: Socket, to: Socket, onSeen?: () => void, onDelivered?: () => void): void {
    from.on('data', (chunk: Buffer) => {
      if (frozen) return
      onSeen?.()
      later(() => {
        onDelivered?.()
        if (!to.destroyed) to.write(chunk)
      })
    })
    from.on('end', () => later(() => to.end()))
    from.on('error', () => to.destroy())
    from.on('close', () => later(() => to.destroy()))
  }

  // Timers of one duration fire in the order in which they were set: bytes keep theirs.
  function later(act: () => void): void {
    const delayMs = options.delayMs ?? 0
    if (frozen) return
    if (delayMs === 0) act()
    else setTimeout(act, delayMs)
  }

  const cut = () => {
    for (const { client, server: upstream } of pairs) {
      client.destroy()
      upstream.destroy()
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    bursts: () => pairs.map((pair) => pair.bursts),
    freeze: () => {
      frozen = true
    },
    cut,
    stop: () => {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
