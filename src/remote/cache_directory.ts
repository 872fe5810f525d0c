import { homedir } from 'node:os'
import { join } from 'node:path'

/** `TWONODE_CACHE`, or the user's cache folder. What lies there can be lost at any time. */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return env['TWONODE_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'twonode')
}
