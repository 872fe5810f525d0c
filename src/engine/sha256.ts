import { createHash } from 'node:crypto'
import { reveal, type Text } from '../core/secret.ts'

/** Hex sha256 of a text as UTF-8. A digest of a secret stays in memory: short ones can be guessed. */
export function sha256(text: Text): string {
  return createHash('sha256').update(reveal(text)).digest('hex')
}
