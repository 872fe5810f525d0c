import { expect, test } from 'vitest'
import { stoppablePeer } from '../../src/agent/stoppable_peer.ts'

test('a request that is not waited for any longer was answered by nobody: the peer may act on it (A7)', async () => {
  const stop = new AbortController()
  const silent = { voidProof: () => forever<boolean>(), handOver: () => forever<never>() }
  const peer = stoppablePeer(silent, stop.signal)
  const answers = Promise.all([peer.handOver({ phase: 'back', term: 4 }), peer.voidProof(4)])
  stop.abort()
  expect(await answers).toMatchObject([{ ok: false, heard: false }, false])
})

function forever<T>(): Promise<T> {
  return new Promise<T>(() => undefined)
}
