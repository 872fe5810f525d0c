import type { HandOverAnswer, Peer } from './ports.ts'

/**
 * The peer, for work that something more pressing may end: a request is not waited for any longer then.
 * The kine of a leader that loses everything in the middle of a hand-over is killed at the fence time, but
 * its backends, its fence and its virtual address would else wait until the last of its requests has run
 * into its bound, and the address would be on both hosts meanwhile.
 */
export function stoppablePeer(peer: Peer, stop: AbortSignal): Peer {
  return {
    voidProof: async (term) => await unlessStopped(peer.voidProof(term), false, stop),
    handOver: async (asked) => await unlessStopped(peer.handOver(asked), STOPPED, stop),
  }
}

/** The peer may have heard it, and nobody heard its answer: what was promised it stands (A7). */
const STOPPED: HandOverAnswer = { ok: false, why: 'something more pressing came', heard: false }

/** What it gives, or what is said instead as soon as it is to stop. */
async function unlessStopped<T>(answer: Promise<T>, instead: T, stop: AbortSignal): Promise<T> {
  const over = new AbortController()
  const stopped = new Promise<T>((resolve) => {
    if (stop.aborted) resolve(instead)
    else stop.addEventListener('abort', () => resolve(instead), { signal: over.signal })
  })
  try {
    return await Promise.race([answer, stopped])
  } finally {
    over.abort()
  }
}
