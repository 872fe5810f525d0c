/** Time, injected: laws run in no time, and a laptop's clock is never asked. */
export interface Clock {
  /** Monotonic. @unit milliseconds */
  now(): number
  /** Ends early, without an error, when the signal aborts. */
  sleep(ms: number, stop?: AbortSignal): Promise<void>
  /** Calls `tick` every `ms` until the function returned is called. */
  every(ms: number, tick: () => void): () => void
}

/** The machine's own. */
export const systemClock: Clock = {
  now: () => performance.now(),

  sleep(ms, stop) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        stop?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      stop?.addEventListener('abort', done)
      if (stop?.aborted === true) done()
    })
  },

  every(ms, tick) {
    const timer = setInterval(tick, ms)
    timer.unref()
    return () => clearInterval(timer)
  },
}
