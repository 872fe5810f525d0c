import { SITE_SECRET_FILES, type SiteSecretName } from '../core/host.ts'
import {
  andThen,
  changeHost,
  hostOf,
  type HostState,
  isLive,
  type RunState,
  send,
  type Turn,
  turn,
} from './run_state.ts'

const SITE_SECRETS = Object.keys(SITE_SECRET_FILES) as readonly SiteSecretName[]

/**
 * The site's CA and k3s token pass from host to host through here, in memory. Two of a kind on a pair
 * are never mended by themselves, so one may be made only where it is certain that there is none.
 */
export function wantSecret(state: RunState, host: string, name: SiteSecretName): Turn {
  const { wantsSecrets } = hostOf(state, host)
  if (wantsSecrets.includes(name)) return turn(state)
  return settleSecrets(changeHost(state, host, { wantsSecrets: [...wantsSecrets, name] }))
}

/**
 * Asks those who have a secret for it while they are there: when their peer comes to need it they may
 * have ended.
 */
export function fetchAhead(state: RunState): Turn {
  if (!state.settings.obtains) return turn(state)
  return SITE_SECRETS.reduce(
    (so, name) =>
      andThen(so, (s) => {
        const live = s.hosts.filter(isLive)
        const holder = live.find(({ open, hello }) => open && hello?.siteSecrets[name] != null)
        const isLacked = live.some(({ hello }) => hello?.siteSecrets[name] == null)
        return holder !== undefined && isLacked ? askFor(s, holder, name) : turn(s)
      }),
    turn(state),
  )
}

function askFor(state: RunState, holder: HostState, name: SiteSecretName): Turn {
  const asked = { ...state, askedFor: { ...state.askedFor, [name]: holder.name } }
  return turn(asked, ...send(holder, { type: 'site-secret', name, action: 'export' }))
}

/** An answer to make or export. */
export function gotSecret(state: RunState, name: SiteSecretName, value: string): Turn {
  const { [name]: _, ...askedFor } = state.askedFor
  return settleSecrets({ ...state, askedFor, secrets: { ...state.secrets, [name]: value } })
}

/** Asked to export what its hello named, a host has it no more. */
export function hasNone(state: RunState, host: string, name: SiteSecretName): Turn {
  return settleSecrets(doubt(state, host, [name]))
}

/**
 * A host left. What it was asked for and did not answer it may have made all the same; one that
 * vanished may have had a question on its way.
 */
export function doubtSecrets(
  state: RunState,
  host: string,
  { vanished }: { readonly vanished: boolean },
): RunState {
  const { hello } = hostOf(state, host)
  return doubt(
    state,
    host,
    SITE_SECRETS.filter(
      (name) =>
        state.askedFor[name] === host ||
        (vanished && hello !== undefined && hello.siteSecrets[name] === null),
    ),
  )
}

function doubt(state: RunState, host: string, names: readonly SiteSecretName[]): RunState {
  const asked = Object.entries(state.askedFor).filter(([name]) => !names.some((n) => n === name))
  const doubted = Object.fromEntries(names.map((name) => [name, host]))
  return {
    ...state,
    askedFor: Object.fromEntries(asked),
    doubted: { ...state.doubted, ...doubted },
  }
}

/** Answers every wish that can be answered by now. */
export function settleSecrets(state: RunState): Turn {
  const wishes = state.hosts.flatMap((host) =>
    isLive(host) ? host.wantsSecrets.map((name) => ({ host: host.name, name })) : [],
  )
  return wishes.reduce(
    (so, { host, name }) => andThen(so, (s) => answer(s, host, name)),
    turn(state),
  )
}

function answer(state: RunState, asker: string, name: SiteSecretName): Turn {
  const host = hostOf(state, asker)
  const granted = changeHost(state, asker, {
    wantsSecrets: host.wantsSecrets.filter((wanted) => wanted !== name),
  })
  const value = state.secrets[name]
  if (value !== undefined)
    return turn(granted, ...send(host, { type: 'site-secret', name, action: 'use', value }))
  if (state.askedFor[name] !== undefined) return turn(state)

  const refuse = (reason: string) =>
    turn(granted, ...send(host, { type: 'site-secret', name, action: 'refuse', reason }))
  const doubted = state.doubted[name]
  if (doubted !== undefined)
    return refuse(`${doubted} may have the site's ${name} and did not hand it out`)

  const holder = state.hosts.find((h) => h.name !== asker && h.hello?.siteSecrets[name] != null)
  if (holder !== undefined && isLive(holder) && holder.open) return askFor(state, holder, name)
  if (holder !== undefined)
    return refuse(`${holder.name} has the site's ${name} and is gone: it can not be asked for it`)

  const { hosts } = state.settings.site
  const absent = hosts.find((h) => state.hosts.every((here) => here.name !== h.name))
  if (absent !== undefined)
    return refuse(
      `${absent.name} takes no part in this run and may have one: converge both hosts together once`,
    )
  const [first] = hosts
  if (asker !== first.name && firstMayStillMake(state, first.name)) return turn(state)
  const asked = { ...granted, askedFor: { ...state.askedFor, [name]: asker } }
  return turn(asked, ...send(host, { type: 'site-secret', name, action: 'make' }))
}

/** The first host makes it in its turn, unless it has ended or waits for its peer already. */
function firstMayStillMake(state: RunState, first: string): boolean {
  const host: HostState = hostOf(state, first)
  return isLive(host) && host.waitsBefore === undefined
}
