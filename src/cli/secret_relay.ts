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

/** Whoever was asked is gone: someone else must be. */
export function forgetAsked(state: RunState, host: string): RunState {
  const left = Object.entries(state.askedFor).filter(([, asked]) => asked !== host)
  return { ...state, askedFor: Object.fromEntries(left) }
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

  const holder = state.hosts.find((h) => h.name !== asker && h.hello?.siteSecrets[name] != null)
  if (holder !== undefined && isLive(holder) && holder.open) return askFor(state, holder, name)
  const refuse = (reason: string) =>
    turn(granted, ...send(host, { type: 'site-secret', name, action: 'refuse', reason }))
  if (holder !== undefined)
    return refuse(`${holder.name} has the site's ${name} and is gone: it can not be asked for it`)

  const [first] = state.settings.site.hosts
  if (asker !== first.name && !state.hosts.some((h) => h.name === first.name))
    return refuse(
      `only ${first.name} makes the site's ${name}, and it takes no part in this run: another of its kind here would part the pair`,
    )
  if (asker !== first.name && firstMayStillMake(state, first.name)) return turn(state)
  const asked = { ...granted, askedFor: { ...state.askedFor, [name]: asker } }
  return turn(asked, ...send(host, { type: 'site-secret', name, action: 'make' }))
}

/** The first host makes it in its turn, unless it has ended or waits for its peer already. */
function firstMayStillMake(state: RunState, first: string): boolean {
  const host: HostState = hostOf(state, first)
  return isLive(host) && host.waitsBefore === undefined
}
