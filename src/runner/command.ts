import { Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { EXIT, TwonodeError } from '../core/errors.ts'
import { APPLIED_FILE } from '../engine/applied_record.ts'
import { LOCK_FILE } from '../engine/lock.ts'
import { serve } from './serve.ts'

/** Signals by which a host, its agent or its operator ends a run. */
const ENDING = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

const [command] = process.argv.slice(2)
if (command === 'runner') {
  const exitCode = await serve({
    input: process.stdin,
    output: standardOutput(),
    bundle: ownBundle(),
    places: { lockFile: LOCK_FILE, secretsRoot: '/', appliedFile: APPLIED_FILE },
    ending: endingSignal(),
  })
  // A daemon that a command left behind may hold our pipes: nothing is waited for any more.
  process.exit(exitCode)
} else {
  process.stderr.write('twonode: this program is started by `twonode converge`\n')
  process.exit(EXIT.badInput)
}

/** The bundle's folder on the host is named by its content. */
function ownBundle(): string {
  return basename(dirname(fileURLToPath(import.meta.url)))
}

function endingSignal(): AbortSignal {
  const ending = new AbortController()
  for (const signal of ENDING)
    process.on(signal, () => {
      ending.abort(interruptedBy(signal))
    })
  return ending.signal
}

/** What a laptop reads of it: mostly nobody there has sent a signal, and the agent's word is elsewhere. */
function interruptedBy(signal: NodeJS.Signals): TwonodeError {
  if (signal !== 'SIGTERM') return new TwonodeError('E_INTERRUPTED', `ended by ${signal}`)
  const message = "ended by SIGTERM, as by this host's agent when it has something urgent to do"
  const hint =
    'See what the agent did with `twonode timeline`, then run the converge again: it goes on where it stopped.'
  return new TwonodeError('E_INTERRUPTED', message, { hint })
}

/**
 * Standard output that never blocks: Node writes to its own in a blocking way, and a laptop that
 * vanished without a word would stop the run, and its lock, for hours.
 */
function standardOutput(): Writable {
  try {
    return new Socket({ fd: 1, readable: false, writable: true })
  } catch {
    // A file or a terminal: someone looks at a runner by hand.
    return process.stdout
  }
}
