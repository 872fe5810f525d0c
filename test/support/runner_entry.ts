import { TwonodeError } from '../../src/core/errors.ts'
import { serve } from '../../src/runner/serve.ts'

/** The runner as on a host, but for where it keeps its things: below the folder of argv[2]. */
const [, , root = '', bundle = ''] = process.argv
const ending = new AbortController()
process.on('SIGTERM', () => ending.abort(new TwonodeError('E_INTERRUPTED', 'ended by SIGTERM')))
const exitCode = await serve({
  input: process.stdin,
  output: process.stdout,
  bundle,
  places: {
    lockFile: `${root}/run/converge.lock`,
    secretsRoot: root,
    appliedFile: `${root}/etc/applied.json`,
    digests: `${root}/digests.json`,
  },
  ending: ending.signal,
})
process.exit(exitCode)
