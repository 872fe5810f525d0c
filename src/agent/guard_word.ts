import { rm } from 'node:fs/promises'
import { firstLineOf } from '../core/errors.ts'
import { readText } from '../host/files.ts'
import type { Note } from './ports.ts'

/** The guard leaves when it stopped kine here: the agent was silent, and could write no line itself. */
const GUARD_FILE = '/run/twonode/guard.stopped'

/** Writes down what the guard did since the last look; told once. */
export async function tellOfGuard(note: (entry: Note) => void, file = GUARD_FILE): Promise<void> {
  const text = await readText(file)
  if (text === undefined) return
  await rm(file, { force: true })
  note({ kind: 'guard', stopped: firstLineOf(text) })
}
