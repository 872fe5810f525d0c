import type { AgentCore } from '../core.ts'
import type { Faults } from '../faults.ts'
import type { OwnSite } from '../own_site.ts'
import type { PeerClient } from '../peer_client.ts'
import type { Clock, Note } from '../ports.ts'
import { salvageDirectory } from './answers.ts'
import { Comparison } from './comparison.ts'
import { type Content, ownContent, tableNumber } from './content.ts'
import { SalvageKeeper } from './keeper.ts'
import { tableNow } from './folders.ts'

export interface KeeperOf {
  readonly site: OwnSite
  readonly core: AgentCore
  readonly client: Pick<PeerClient, 'content'>
  readonly clock: Clock
  readonly faults: Faults
  readonly note: (entry: Note) => void
}

/** The keeper of this host's salvages, with what it looks at. */
export function createSalvageKeeper({
  site,
  core,
  client,
  clock,
  ...rest
}: KeeperOf): SalvageKeeper {
  const directory = salvageDirectory(site.plan.site)
  return new SalvageKeeper({
    ...rest,
    directory,
    site: site.plan.site.name,
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
    mayCompare: () => {
      const { meta, settled, whole } = core.status()
      return meta?.mode === 'paired' && meta.leader !== site.host && settled && whole
    },
    table: async () => {
      const oid = await tableNumber(site)
      return oid === null ? null : await tableNow(directory, oid)
    },
    ours: ownContent(site),
    leaders: async () => await client.content(),
  })
}

/** A leader's look at whether its follower is a copy. */
export function createComparison({
  site,
  core,
  client,
  clock,
  faults,
}: Omit<KeeperOf, 'note'>): Comparison {
  return new Comparison({
    clock: {
      now: () => clock.now(),
      sleep: async (ms) => await clock.sleep(ms, new AbortController().signal),
    },
    faults,
    slot: () => {
      const { meta } = core.status()
      return meta?.mode === 'paired' && meta.leader === site.host ? meta.slot : null
    },
    ours: ownContent(site),
    followers: async () => await client.content(),
    differs: (slot) => core.desk.followerDiffers(slot),
  })
}

/** For the peer, one look at a time: whoever asks meanwhile gets the same answer. */
export function contentForPeer(
  site: OwnSite,
  faults: Pick<Faults, 'tell'>,
): () => Promise<Content | null> {
  const read = ownContent(site)
  let underway: Promise<Content | null> | undefined
  return async () => {
    underway ??= read(null)
      .catch((error: unknown) => {
        faults.tell('content', String(error))
        return null
      })
      .finally(() => {
        underway = undefined
      })
    return await underway
  }
}
