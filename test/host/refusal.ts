import { TwonodeError } from '../../src/core/errors.ts'

/** The error of ours that a promise fails with; anything else it does is a failed test. */
export async function refusal(promise: Promise<unknown>): Promise<TwonodeError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof TwonodeError) return error
    throw error
  }
  throw new Error('it was not refused')
}
