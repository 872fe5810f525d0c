import { EXIT, type ExitCode, type Trouble, TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { FromRunner } from '../core/protocol.ts'
import { firstBarrier, hasFailed, settleBarriers } from './barriers.ts'
import { worstExit } from './exit_code.ts'
import { judgeHellos } from './judge_hellos.ts'
import {
  andThen,
  changeHost,
  emit,
  hostOf,
  type HostState,
  isLive,
  type RunCommand,
  type RunInput,
  type RunState,
  send,
  type Turn,
  turn,
} from './run_state.ts'
import {
  doubtSecrets,
  fetchAhead,
  gotSecret,
  hasNone,
  settleSecrets,
  wantSecret,
} from './secret_relay.ts'

/**
 * The life of a run of one site: hello → roles → go → observed → apply, barrier by barrier → end.
 * Pure: sessions, clocks and terminals are elsewhere (`site_run.ts`), so every order of messages can
 * be tried in a test.
 */
export function advance(state: RunState, input: RunInput): Turn {
  if (state.phase === 'over') return turn(state, ...lateCommands(input))
  return andThen(react(state, input), finishIfDone)
}

function react(state: RunState, input: RunInput): Turn {
  switch (input.kind) {
    case 'connected':
      return connected(state, input.host)
    case 'message':
      return isLive(hostOf(state, input.host))
        ? heard(state, input.host, input.message)
        : turn(state)
    case 'ended':
      return ended(state, input.host, input.trouble)
    case 'interrupt':
      return interrupted(state)
    default:
      throw new Error(`unhandled input: ${(input satisfies never as RunInput).kind}`)
  }
}

/** A connection that comes up after the end is closed again. */
function lateCommands(input: RunInput): readonly RunCommand[] {
  return input.kind === 'connected' ? [{ kind: 'close', host: input.host }] : []
}

function connected(state: RunState, name: string): Turn {
  const next = changeHost(state, name, { open: true })
  return state.interrupts > 0
    ? turn(next, ...send(hostOf(next, name), { type: 'interrupt' }))
    : turn(next)
}

function heard(state: RunState, host: string, message: FromRunner): Turn {
  if ('event' in message) return event(state, host, message)
  switch (message.type) {
    case 'heartbeat':
      return turn(state)
    case 'observed':
      return afterObserving(changeHost(state, host, { observed: message }))
    case 'play-done':
      return playDone(state, host, message)
    case 'need-blob':
      return turn(state, { kind: 'blob', host, sha256: message.sha256 })
    case 'need-site-secret':
      return wantSecret(state, host, message.name)
    case 'site-secret':
      return gotSecret(state, message.name, message.value)
    case 'no-site-secret':
      return hasNone(state, host, message.name)
    default:
      throw new Error(
        `unhandled message: ${(message satisfies never as FromRunner & { type: string }).type}`,
      )
  }
}

function event(state: RunState, host: string, seen: Event): Turn {
  switch (seen.event) {
    case 'hello':
      return andThen(turn(changeHost(state, host, { hello: seen }), emit(seen)), afterHellos)
    case 'host-summary':
      return andThen(turn(state, emit(seen), { kind: 'close', host }), (s) =>
        leave(s, host, seen.exitCode),
      )
    case 'trouble':
      return turn(changeHost(state, host, { troubled: seen.trouble.exitCode }), emit(seen))
    case 'step':
    case 'progress':
    case 'note':
    case 'barrier':
    case 'summary':
      return turn(state, emit(seen))
    default:
      throw new Error(`unhandled event: ${(seen satisfies never as Event).event}`)
  }
}

/** Roles are decided once, when every host has said hello or is known not to come. */
function afterHellos(state: RunState): Turn {
  if (state.phase !== 'connecting') return turn(state)
  if (state.hosts.some((host) => isLive(host) && host.hello === undefined)) return turn(state)
  const present = state.hosts.filter(isLive)
  if (present.length === 0) return turn(state)
  // One host alone is --limit's to ask for. Nothing has been changed yet, and nothing will be.
  if (present.length < state.hosts.length && !state.settings.lookOnly) return abandon(state)

  const judged = judgeHellos(
    state.settings,
    present.flatMap(({ hello }) => hello ?? []),
  )
  if (judged.kind === 'refused') {
    const { trouble } = judged
    const refused = { ...state, exitCodes: [...state.exitCodes, trouble.exitCode] }
    return andThen(turn(refused, emit({ event: 'trouble', trouble })), abandon)
  }
  const { pair, notes } = judged
  const solo = present.length < state.settings.site.hosts.length
  return turn(
    { ...state, phase: 'observing', pair },
    ...notes.map((note) => emit({ event: 'note', ...note })),
    ...present.flatMap((host) => send(host, { type: 'go', pair, solo })),
  )
}

function afterObserving(state: RunState): Turn {
  if (state.phase !== 'observing') return turn(state)
  const present = state.hosts.filter(isLive)
  if (present.some((host) => host.observed === undefined)) return turn(state)
  const barrier = firstBarrier(state)
  if (state.settings.check || barrier === undefined)
    return present.reduce(
      (so, host) => andThen(so, (s) => endWithObservation(s, host)),
      turn(state),
    )
  // Asked for first: a holder that has nothing else to do ends as soon as it may.
  return andThen(fetchAhead({ ...state, phase: 'applying' }), (s) =>
    turn(s, ...present.flatMap((host) => send(host, { type: 'apply', firstBarrier: barrier }))),
  )
}

/** The events came along with the observation: the run ends without another turn. */
function endWithObservation(state: RunState, { name, observed }: HostState): Turn {
  const events = observed?.events ?? []
  const codes = events.flatMap((e) => (e.event === 'host-summary' ? [e.exitCode] : []))
  const next = changeHost(state, name, { exitCode: worstExit(codes) })
  return turn(next, ...events.map(emit), { kind: 'close', host: name })
}

function playDone(
  state: RunState,
  name: string,
  { play, changed }: { readonly play: number; readonly changed: boolean },
): Turn {
  const hosts = state.hosts.map((host) => {
    if (host.name === name) return { ...host, waitsBefore: play + 1 }
    return changed ? { ...host, peerNews: true } : host
  })
  const settled = andThen(turn({ ...state, hosts }), settleBarriers)
  return andThen(
    andThen(settled, (s) => nameWait(s, name)),
    settleSecrets,
  )
}

/** Tells people why a host stands still. */
function nameWait(state: RunState, name: string): Turn {
  const { waitsBefore } = hostOf(state, name)
  const play = state.settings.plays.find(({ id }) => id === waitsBefore)
  if (play === undefined) return turn(state)
  return turn(state, emit({ event: 'barrier', host: name, play: play.name }))
}

function ended(state: RunState, name: string, trouble: Trouble | undefined): Turn {
  const host = hostOf(state, name)
  const next = changeHost(state, name, { open: false })
  if (!isLive(host)) return turn(next)
  if (trouble === undefined && host.troubled !== undefined)
    return leave(doubtSecrets(next, name, { vanished: true }), name, host.troubled)
  const why = trouble ?? lost(name, state).toTrouble()
  return andThen(turn(next, emit({ event: 'trouble', host: name, trouble: why })), (s) =>
    leave(doubtSecrets(s, name, { vanished: true }), name, why.exitCode),
  )
}

function lost(name: string, { interrupts }: RunState): TwonodeError {
  return interrupts > 0
    ? new TwonodeError('E_INTERRUPTED', `${name} ended`)
    : new TwonodeError('E_CONNECTION_LOST', `${name}: the runner ended without a summary`)
}

/** A host takes no further part: its peer is told, or the whole run given up if nothing has begun. */
function leave(state: RunState, name: string, exitCode: ExitCode): Turn {
  const left = changeHost(state, name, { exitCode, waitsBefore: undefined })
  const next = doubtSecrets(left, name, { vanished: false })
  switch (next.phase) {
    case 'connecting':
      return afterHellos(next)
    case 'observing':
      return next.settings.lookOnly || next.settings.check ? afterObserving(next) : abandon(next)
    case 'applying':
      return hasFailed(hostOf(next, name))
        ? tellPeer(next, name)
        : andThen(settleBarriers(next), settleSecrets)
    case 'over':
      return turn(next)
    default:
      throw new Error(`unhandled phase: ${String(next.phase satisfies never)}`)
  }
}

function tellPeer(state: RunState, failed: string): Turn {
  const peers = state.hosts.filter((host) => host.name !== failed && isLive(host))
  const reason = `${failed} failed`
  return andThen(
    turn(state, ...peers.flatMap((peer) => send(peer, { type: 'peer-failed', reason }))),
    settleSecrets,
  )
}

/** Ends a run in which no host was changed: end of input ends a runner that has not begun. */
function abandon(state: RunState): Turn {
  const live = state.hosts.filter(isLive)
  const hosts = state.hosts.map((host) => (isLive(host) ? { ...host, exitCode: EXIT.done } : host))
  return turn(
    { ...state, hosts },
    ...live.map(({ name }) => ({ kind: 'close', host: name }) as const),
  )
}

/** Ctrl-C: once, every host ends after its current change; twice, the connections go. */
function interrupted(state: RunState): Turn {
  const interrupts = state.interrupts + 1
  const next = { ...state, interrupts, exitCodes: [...state.exitCodes, EXIT.interrupted] }
  const begun = state.hosts.some((host) => isLive(host) && host.open)
  if (interrupts > 1 || !begun) return abandon(next)
  const message =
    'interrupted: each host ends after its current change; Ctrl-C again closes the connections'
  return turn(
    next,
    emit({ event: 'note', level: 'warning', message }),
    ...next.hosts.flatMap((host) => (isLive(host) ? send(host, { type: 'interrupt' }) : [])),
  )
}

function finishIfDone(state: RunState): Turn {
  if (state.phase === 'over' || state.hosts.some(isLive)) return turn(state)
  const codes = state.hosts.flatMap(({ exitCode }) => exitCode ?? [])
  const exitCode = worstExit([...codes, ...state.exitCodes])
  return turn({ ...state, phase: 'over', secrets: {} }, { kind: 'finish', exitCode })
}
