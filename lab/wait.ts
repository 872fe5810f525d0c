import { setTimeout as pause } from 'node:timers/promises'
import { LabError } from './lab_error.ts'

/** Asks until the answer is not undefined. Throws a {@link LabError} when the time is over. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  { timeoutMs, everyMs = 25 }: { timeoutMs: number; everyMs?: number },
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline)
      throw new LabError(
        `still waiting for ${what} after ${timeoutMs / 1000} s`,
        'See `npm run lab -- status` and the console logs in the lab directory.',
      )
    await pause(everyMs)
  }
}
