import { join } from 'node:path'
import { sidesOf } from '../core/site.ts'
import { createSiteSecrets, type SiteSecrets } from '../host/site_secrets.ts'
import { timingOf } from '../pair/timing.ts'
import { openWitness } from '../witness/open_witness.ts'
import { openPower } from '../witness/power.ts'
import { createClock, momentOf, readBootId } from './clock.ts'
import { AgentCore } from './core.ts'
import { Faults } from './faults.ts'
import { type Heartbeat, openHeartbeat } from './heartbeat.ts'
import { type DecisionJournal, openDecisionJournal, readDecisions } from './journal.ts'
import { JoinTokens } from './join_token.ts'
import { KineProcesses } from './kine_processes.ts'
import { killService, stoppingServiceFirst } from './service_stop.ts'
import { newestFitting } from './local_text.ts'
import type { LocalEngine } from './local_engine.ts'
import { createNotifier, type Notifier } from './notify.ts'
import type { OwnSite } from './own_site.ts'
import { createPeerApi, type PeerApi, type PeerHandlers } from './peer_api.ts'
import { createPeerClient, type PeerClient } from './peer_client.ts'
import type { PeerStatus } from './peer_messages.ts'
import type { Clock, Note, PeerPower, Sight, Witness } from './ports.ts'
import type { Settings } from './settings.ts'
import { createSight, type LocalSight } from './probes/sight.ts'
import { createReplacementApi } from './replacement_api.ts'
import { contentForPeer, createComparison, createSalvageKeeper } from './salvage/assemble_keeper.ts'
import type { Comparison } from './salvage/comparison.ts'
import type { SalvageKeeper } from './salvage/keeper.ts'
import { openStateFiles, type StateFiles } from './state_files.ts'
import { TLS_PATHS, TlsFiles } from './tls_files.ts'

/** More of them do not fit in a message. */
const LINES_FOR_PEER = 500

/** Everything that an agent is made of. */
export interface AgentParts {
  readonly site: OwnSite
  readonly clock: Clock
  readonly journal: DecisionJournal
  readonly journalFolder: string
  readonly faults: Faults
  readonly store: StateFiles
  readonly tls: TlsFiles
  readonly client: PeerClient
  readonly api: PeerApi
  readonly sight: LocalSight
  readonly engine: LocalEngine
  readonly core: AgentCore
  readonly tokens: JoinTokens
  readonly secrets: SiteSecrets
  readonly heartbeat: Heartbeat
  readonly notifier: Notifier
  readonly salvages: SalvageKeeper
  readonly comparison: Comparison
}

/** Puts an agent together from this host's site; nothing is started yet. */
export function assemble(
  site: OwnSite,
  engine: LocalEngine,
  redact: (text: string) => string,
): AgentParts {
  const { name, stateDirectory, liveness } = site.plan.site
  const clock = createClock()
  const bootId = readBootId()
  const journalFolder = join(stateDirectory, 'journal')
  const journal = openDecisionJournal({
    folder: journalFolder,
    host: site.host,
    bootId,
    clock,
    redact,
  })
  const note = (entry: Note) => journal.note(entry)
  const faults = new Faults(note)
  const moment = () => momentOf(clock, bootId)
  const store = openStateFiles({ directory: stateDirectory, site: name, note, moment })
  const tls = new TlsFiles(TLS_PATHS, faults)
  const { own, peer } = sidesOf(site.plan.site, site.host)
  const pair = { site: name, self: own.name, peer: peer.name }
  const shared = { pair, port: liveness.port, tls, faults }
  const client = createPeerClient({ ...shared, address: peer.address, clock })
  const heartbeat = openHeartbeat(() => clock.now())
  const notifier = createNotifier({
    socket: process.env['NOTIFY_SOCKET'],
    watchdogUsec: process.env['WATCHDOG_USEC'],
  })
  const sight = createSight({ site: site.plan.site, host: site.host, client, clock, faults })
  const alive = () => {
    heartbeat.beat()
    notifier.alive()
  }
  const acting = stoppingServiceFirst(engine, () => killService(site.plan.site.virtualIp))
  const looking = living(sight, alive)
  const seen = { clock, sight: looking, store, peer: client, heartbeat, kine: new KineProcesses() }
  const ports = { ...seen, ...partiesOf(site), engine: acting, site, note }
  const core = new AgentCore(coreSettings(site), ports)
  const tokens = new JoinTokens(stateDirectory)
  const secrets = createSiteSecrets()
  const api = createPeerApi({
    ...shared,
    address: own.address,
    // A newcomer has another one.
    peerAddress: () => sidesOf(site.plan.site, site.host).peer.address,
    handlers: handlersOf(core, {
      self: { host: site.host, bootId },
      replacement: createReplacementApi({ core, clock, tokens, site, secrets, note }),
      content: contentForPeer(site, faults),
      decisions: async () => {
        await journal.flush()
        return newestFitting(await readDecisions(journalFolder, LINES_FOR_PEER))
      },
    }),
    intervalMs: liveness.intervalMs,
  })
  const salvages = createSalvageKeeper({ site, core, client, clock, faults, note })
  // oxfmt-ignore
  return { salvages, comparison: createComparison({ site, core, client, clock, faults }), site, clock, journal, journalFolder, faults, store, tls, client, api, sight, engine, core, tokens, secrets, heartbeat, notifier }
}

/** Who else has a word on who leads. */
function partiesOf(site: OwnSite) {
  return { witness: witnessOf(site), power: powerOf(site) }
}

/** The site's third party; null under availability. */
function witnessOf({ plan, secrets }: OwnSite): Witness | null {
  const { witness, name } = plan.site
  return witness === null ? null : openWitness(witness, { site: name, secrets })
}

/** What powers the peer off; null where a witness decides, or nobody. */
function powerOf({ plan, secrets, host }: OwnSite): PeerPower | null {
  const { fencing } = plan.site
  const commands = fencing?.commands[sidesOf(plan.site, host).peer.name]
  return fencing === null || commands === undefined
    ? null
    : openPower(fencing, { commands, secrets })
}

function coreSettings({ host, plan }: OwnSite): Settings {
  const { liveness, reconcile, partition, replication, restricted, fencing } = plan.site
  const { acceptLossBytes } = replication
  const followerDelayMs = fencing?.followerDelayMs
  return {
    self: host,
    timing: timingOf(liveness, reconcile.intervalMs),
    policy: {
      partition,
      acceptLossBytes,
      ...(followerDelayMs === undefined ? {} : { fencing: { followerDelayMs } }),
    },
    restricts: restricted.use !== 'none',
  }
}

interface Self {
  readonly host: string
  readonly bootId: string
}

/** What the peer may ask is the core's to answer. */
function handlersOf(
  core: AgentCore,
  {
    self,
    ...others
  }: Pick<PeerHandlers, 'decisions' | 'content' | 'replacement'> & { readonly self: Self },
): PeerHandlers {
  return {
    ...others,
    status: () => statusOf(self, core.onStatus()),
    statusForOthers: () => statusOf(self, core.status()),
    voidProof: async (term) => await core.onVoidProof(term),
    handOver: async (request) => await core.onHandOver(request),
  }
}

function statusOf(self: Self, status: ReturnType<AgentCore['status']>): PeerStatus {
  const { initialised: _, frozen: __, ...says } = status
  return { ...self, ...says }
}

/** Each round looks once: an agent whose rounds have stopped is as silent as a dead one (B9). */
function living(sight: Sight, alive: () => void): Sight {
  return {
    heard: () => sight.heard(),
    look: async (about) => {
      alive()
      return await sight.look(about)
    },
  }
}
