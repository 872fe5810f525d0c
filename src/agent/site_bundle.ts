import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Where a host keeps its compiled site; asked for before anything else is loaded. */
const SITE_FILE = '/etc/twonode/site.yaml'

/** The agent's program in each bundle. */
const PROGRAM = 'agent.mjs'

/**
 * The program of the bundle that compiled this host's site, if that is another one than `folder`'s and
 * is there: a plan means what its own bundle means by it. A converge brings the newer bundle first and
 * the site file last, and may be cut in between.
 */
export function otherProgram(folder: string, siteFile = SITE_FILE): string | undefined {
  const wanted = bundleOf(siteFile)
  if (wanted === undefined || wanted === basename(folder)) return undefined
  const program = join(dirname(folder), wanted, PROGRAM)
  return existsSync(program) ? program : undefined
}

/** Read from the text: parsing all of it takes longer than everything else that happens here. */
function bundleOf(siteFile: string): string | undefined {
  try {
    return /^ *bundle: ["']?([0-9a-f]{64})["']?$/m.exec(readFileSync(siteFile, 'utf8'))?.[1]
  } catch {
    // A host without a site, or one that can't be read: the daemon says so.
    return undefined
  }
}
