import { setTimeout } from 'node:timers/promises'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { runCommand } from '../host/command.ts'
import { askAgent, CONTROL_SOCKET } from './control_socket.ts'
import type { Output } from './local_commands.ts'

const UNIT = 'twonode-agent.service'

/** systemd answers at once, or is busy with what we wait for. @unit milliseconds */
const UNIT_TIMEOUT_MS = 5_000

/** What is asked of this host. */
export interface CurrentPlaces {
  readonly socket: string
  /** The agent's unit, as `systemctl is-active` calls it. */
  readonly unitState: () => Promise<string>
}

const PLACES: CurrentPlaces = { socket: CONTROL_SOCKET, unitState }

/**
 * `twonode current`: whether the agent of this host goes by the site that is on it, as an exit code. A
 * converge that has replaced the site asks until it is so: only then is the host what it was told to be.
 */
export async function runCurrent(err: Output, places = PLACES): Promise<ExitCode> {
  const why = await whyNotCurrent(places)
  if (why === undefined) return EXIT.done
  err.write(`${why}\n`)
  return EXIT.failed
}

/** A bound for an agent that ends what is under way, and starts anew. @unit milliseconds */
const CURRENT_MS = 120_000

/** Between two looks. @unit milliseconds */
const LOOK_MS = 1_000

/** Waits until the agent goes by the site that is on its host; says why, when it gives up. */
export async function awaitCurrent(out: Output, places = PLACES): Promise<void> {
  const end = Date.now() + CURRENT_MS
  let why = await whyNotCurrent(places)
  while (why !== undefined && Date.now() < end) {
    await setTimeout(LOOK_MS)
    why = await whyNotCurrent(places)
  }
  if (why !== undefined) out.write(`the agent does not go by it yet: ${why}\n`)
}

async function whyNotCurrent({ socket, unitState: stateOf }: CurrentPlaces) {
  let status: JsonObject = {}
  try {
    await askAgent(socket, { command: 'status', options: {} }, (data) => (status = data))
  } catch (error) {
    if (!(error instanceof TwonodeError)) throw error
    // Nobody is to start it: whoever does, starts it with the site that is there.
    const state = await stateOf()
    if (state === 'inactive' || state === 'failed' || state === 'unknown') return undefined
    return `its unit is ${state}, and it does not answer yet`
  }
  return whyNotYet(status)
}

/** What an agent's status lacks; one of an older version does not say what it goes by. Pure. */
export function whyNotYet(status: JsonObject): string | undefined {
  const { siteReplaced, siteRefused, mode, peer, peerAsks, agentGone } = status
  if (typeof siteRefused === 'string') return siteRefused
  if (siteReplaced !== false) return 'it still goes by the site that was here before'
  // Alone it has nobody to hear; and whoever is off, or has no agent, is not waited for.
  if (mode !== 'paired' || peer === 'cut' || peer === 'gone' || agentGone === true) return undefined
  if (peer !== 'answers') return "it does not hear its peer's agent yet"
  return peerAsks === true ? undefined : "its peer's agent does not hear it yet"
}

async function unitState(): Promise<string> {
  const argv = ['systemctl', 'is-active', UNIT]
  const { stdout } = await runCommand(argv, { timeoutMs: UNIT_TIMEOUT_MS })
  return stdout.trim()
}
