/** What the lab is doing, for a person who waits. `seconds` is present once it is done. */
export interface ProgressEvent {
  readonly what: string
  readonly seconds?: number
}

export type Progress = (event: ProgressEvent) => void

/** Reports the beginning and the end of a piece of work, with its duration. */
export async function timed<T>(
  progress: Progress,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const since = performance.now()
  progress({ what })
  const result = await work()
  progress({ what, seconds: secondsSince(since) })
  return result
}

/** Seconds since a `performance.now()`, rounded to tenths. */
export function secondsSince(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 100) / 10
}

/** Writes each event as one line on stderr; what takes under a second gets one line only. */
export function progressOnStderr(): Progress {
  const pending = new Map<string, NodeJS.Timeout>()
  return ({ what, seconds }) => {
    clearTimeout(pending.get(what))
    pending.delete(what)
    if (seconds !== undefined) return line(`${what}: ${seconds.toFixed(1)} s`)
    const timer = setTimeout(() => line(`${what} ...`), 1_000)
    timer.unref()
    pending.set(what, timer)
  }
}

function line(text: string): void {
  process.stderr.write(`lab: ${text}\n`)
}
