/** A host with a token that is to be its site's, as a look has shown it. */
export interface SeenHost {
  readonly name: string
  /** What k3s' servers share opens with the token in this host's own table. */
  readonly known: boolean
  /** Further keys there: older tokens open them. */
  readonly others: number
  /** The host's token file has it. */
  readonly held: boolean
  /** The host's k3s has started with it. */
  readonly served: boolean
}

/** The site; a follower that is down, or left out, is not seen. */
export interface Seen {
  readonly leader: SeenHost
  readonly follower: SeenHost | undefined
}

export type TokenStep =
  | { readonly do: 'know' | 'hold' | 'restart' | 'alone'; readonly on: string }
  /** Until the leader's new key has come to the follower. */
  | { readonly do: 'wait'; readonly on: string }
  | { readonly do: 'hand over'; readonly on: string }
  /** The follower was not seen: the old token opens as well until it is. */
  | { readonly do: 'keep' }
  | { readonly do: 'nothing' }

interface Row {
  readonly id: string
  /** Why this, and why not before what stands above. */
  readonly why: string
  readonly step: (seen: Seen) => TokenStep | undefined
}

/**
 * What comes next; the first that has a step is it. A token is known to the datastore before any host
 * holds it, and the old one is until both hosts have started with the new one: wherever this is cut, each
 * server starts with what it has. Nothing is remembered: a run that follows brings a token of its own over
 * both hosts, and takes all others away.
 */
export const TOKEN_ROWS: readonly Row[] = [
  {
    id: 'T1',
    why: 'a server that starts with it must find its key',
    step: ({ leader }) => (leader.known ? undefined : { do: 'know', on: leader.name }),
  },
  {
    id: 'T2',
    why: 'the follower may lead before long, with what its own table has',
    step: ({ follower }) => of(follower, ({ known }) => !known, 'wait'),
  },
  {
    id: 'T3',
    why: 'the follower first: nobody is served by it alone',
    step: ({ follower }) => of(follower, ({ held }) => !held, 'hold'),
  },
  {
    id: 'T4',
    why: "a k3s takes the old token from strangers until it starts anew; the leader's serves meanwhile",
    step: ({ follower }) => of(follower, ({ served }) => !served, 'restart'),
  },
  {
    id: 'T5',
    why: 'whatever has the leader start anew from here on, it starts with the new one',
    step: ({ leader }) => (leader.held ? undefined : { do: 'hold', on: leader.name }),
  },
  {
    id: 'T6',
    why: "the leader's k3s starts anew as a follower's, so that the API is never away",
    step: ({ leader, follower }) => of(follower, () => !leader.served, 'hand over'),
  },
  {
    id: 'T7',
    why: 'both hosts have started with the new one: nobody needs another',
    step: ({ leader, follower }) =>
      follower !== undefined && leader.others > 0 ? { do: 'alone', on: leader.name } : undefined,
  },
  {
    id: 'T8',
    why: 'a follower that was not seen starts with an old one',
    step: ({ follower }) => (follower === undefined ? { do: 'keep' } : undefined),
  },
  { id: 'T9', why: 'all is done', step: () => ({ do: 'nothing' }) },
]

/** The next step towards one token on all that was seen. Pure. */
export function nextTokenStep(seen: Seen): TokenStep {
  for (const { step } of TOKEN_ROWS) {
    const found = step(seen)
    if (found !== undefined) return found
  }
  throw new Error('no row of the rotation matched')
}

function of(
  follower: SeenHost | undefined,
  needs: (follower: SeenHost) => boolean,
  step: 'wait' | 'hold' | 'restart' | 'hand over',
): TokenStep | undefined {
  return follower !== undefined && needs(follower) ? { do: step, on: follower.name } : undefined
}

/** k3s would read more into others: a hash in front, a user, a token of another kind. */
const FORM = /^(?!K10)[A-Za-z0-9_-]{16,256}$/

/** Why k3s could not take this for a token, in words without it; undefined: it can. */
export function tokenProblem(token: string): string | undefined {
  return FORM.test(token)
    ? undefined
    : 'a token is 16 to 256 letters, digits, _ and -, and does not begin with K10'
}
