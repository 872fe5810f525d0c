import { dirname, join } from 'node:path'
import type { Change } from '../core/change.ts'
import { type Host, SITE_SECRET_FILES } from '../core/host.ts'
import { apply, type Bounds } from './apply.ts'

/** Our temporary files are named so, beside their target. */
const TEMPORARY = /^\.twonode-/

/** A download that the next run resumes. */
const PARTIAL = /\.part$/

/** Folders in which a change makes temporary files. */
export function foldersOf(change: Change): readonly string[] {
  if (change.kind === 'write' || change.kind === 'link' || change.kind === 'install')
    return [dirname(change.path)]
  if (change.kind === 'obtain') return [dirname(SITE_SECRET_FILES[change.secret].key)]
  if (change.kind !== 'issue') return []
  const { certificatePath, keyPath } = change.request
  return [...new Set([dirname(certificatePath), dirname(keyPath)])]
}

/**
 * Removes what a cut run left in these folders. The lock is held, so no file of a run that still goes
 * on is among them. Partial downloads stay for the step that resumes them, until a run has ended well.
 */
export async function removeLeftovers(
  host: Host,
  folders: readonly string[],
  { bounds, keepPartial }: { readonly bounds: Bounds; readonly keepPartial: boolean },
): Promise<void> {
  for (const folder of folders) {
    for (const name of (await host.list(folder)) ?? []) {
      if (!TEMPORARY.test(name) || (keepPartial && PARTIAL.test(name))) continue
      await apply(host, { kind: 'remove', path: join(folder, name), recursive: true }, bounds)
    }
  }
}
