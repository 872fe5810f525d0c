import { setTimeout as pause } from 'node:timers/promises'
import { LabError } from './lab_error.ts'

/** Asks until the answer is not undefined. Throws a {@link LabError} when the time is over. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  { timeoutMs, everyMs = 25 }: { timeoutMs: number; everyMs?: number },
): Promise<T> {
  let answer: T | undefined
  const answered = async (): Promise<boolean> => (answer = await ask()) !== undefined
  await seenWithin(answered, { timeoutMs, everyMs })
  if (answer !== undefined) return answer
  throw new LabError(
    `still waiting for ${what} after ${timeoutMs / 1000} s`,
    'See `npm run lab -- status` and the console logs in the lab directory.',
  )
}

/** True once it holds; false if it does not in time: for who reports what was seen, and goes on. */
export async function seenWithin(
  holds: () => Promise<boolean> | boolean,
  { timeoutMs, everyMs = 25 }: { timeoutMs: number; everyMs?: number },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadline) return false
    await pause(everyMs)
  }
  return true
}
