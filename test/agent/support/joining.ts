import { createHash, X509Certificate } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClock } from '../../../src/agent/clock.ts'
import { Faults } from '../../../src/agent/faults.ts'
import { joinPair } from '../../../src/agent/join.ts'
import { JOIN_FILE, type JoinOrder, writeJoinFile } from '../../../src/agent/join_file.ts'
import { JoinTokens } from '../../../src/agent/join_token.ts'
import { readOwnSite } from '../../../src/agent/own_site.ts'
import { createPeerApi, type PeerApi } from '../../../src/agent/peer_api.ts'
import type { ConvergeOutcome } from '../../../src/agent/ports.ts'
import { createReplacementApi } from '../../../src/agent/replacement_api.ts'
import { TlsFiles } from '../../../src/agent/tls_files.ts'
import { reveal, Secret } from '../../../src/core/secret.ts'
import { createSiteSecrets } from '../../../src/host/site_secrets.ts'
import type { HostMeta } from '../../../src/pair/host_meta.ts'
import { secretsFileText, siteFileText } from '../../../src/plan/site_file.ts'
import { leading, pairMeta, SILENT } from '../../support/agent_sightings.ts'
import { planOf, SITE } from '../../support/engine_run.ts'
import { DONE, ScriptedHost } from '../../support/scripted_agent.ts'
import { statusOf } from './agents.ts'
import { makeSite, type SiteTls } from './site_tls.ts'

export const BUNDLE = 'b'.repeat(64)
export const K3S_TOKEN = 'the-token-of-the-cluster'

/** A leader that is alone, whose API is open, on a disk of its own. */
export interface OpenLeader {
  readonly host: ScriptedHost
  readonly api: PeerApi
  readonly site: SiteTls
  readonly tokens: JoinTokens
  readonly faults: string[]
  /** What the API has been asked by newcomers. */
  readonly asked: Record<string, unknown>[]
  /** Its answers do not arrive. */
  mute: boolean
  close(): Promise<void>
}

export async function openLeader(folder: string): Promise<OpenLeader> {
  const site = await makeSite()
  const meta = pairMeta({ site: 'test', mode: 'alone', term: 3 })
  const host = new ScriptedHost('h1', { meta })
  host.converges = { role: () => DONE }
  await host.core.start()
  const unread = { slot: 'idle', streaming: false, synchronous: false, flushedBytes: null } as const
  await host.rounds(8, { ...SILENT, ...leading(unread), gateway: { sentAt: 0, arrivedAt: 0 } })

  const root = join(folder, 'h1')
  mkdirSync(join(root, 'state'), { recursive: true })
  const secrets = createSiteSecrets(root)
  const { certificatePem, keyPem } = site.authority
  await secrets.store('ca', new Secret(`${certificatePem}\n${keyPem}\n`, 'test'))
  await secrets.store('k3s-token', new Secret(K3S_TOKEN, 'test'))
  const own = ownSiteIn(root)
  const faults: string[] = []
  const log = new Faults(({ message }) => faults.push(message))
  const tokens = new JoinTokens(join(root, 'state'))
  const answer = createReplacementApi({
    core: host.core,
    clock: createClock(),
    tokens,
    site: own,
    secrets,
    note: (entry) => host.notes.push(entry),
  })
  const asked: OpenLeader['asked'] = []
  const api = createPeerApi({
    pair: { site: 'test', self: 'h1', peer: 'h2' },
    address: '127.0.0.1',
    peerAddress: () => '127.0.0.1',
    port: 0,
    intervalMs: 1_000,
    faults: log,
    tls: new TlsFiles(await site.host('h1'), log),
    handlers: {
      status: () => statusOf({ host: 'h1' }),
      statusForOthers: () => statusOf({ host: 'h1', meta: host.disk.meta }),
      content: async () => null,
      decisions: async () => [],
      voidProof: async () => true,
      handOver: async () => ({ ok: true }),
      replacement: async (fields, from) => {
        asked.push(fields)
        const given = await answer(fields, from)
        if (leader.mute) throw new Error('the line is cut')
        return given
      },
    },
  })
  const running = runRounds(host)
  const leader: OpenLeader = {
    host,
    api,
    site,
    tokens,
    faults,
    asked,
    mute: false,
    close: async () => {
      await running.end()
      await api.close()
      await site.close()
    },
  }
  await api.start(new AbortController().signal)
  return leader
}

/** The site of h1 and h2 as a converge leaves it on h1. */
function ownSiteIn(root: string) {
  const plan = { ...planOf([{ steps: [] }]), bundle: BUNDLE, site: { ...SITE } }
  const hosts = pairMeta().hosts.map(({ name, address }) => ({ name, address }))
  const named = { ...plan, site: { ...plan.site, hosts: hosts as unknown as typeof SITE.hosts } }
  const places = { site: join(root, 'site.yaml'), secrets: join(root, 'secrets') }
  writeFileSync(places.site, siteFileText({ plan: named, secrets: new Map() }))
  const own = secretsFileText({ plan: named, host: 'h1', secrets: new Map() })
  writeFileSync(places.secrets, reveal(own))
  return readOwnSite('h1', places)
}

/** Rounds go on, as in an agent. */
function runRounds(host: ScriptedHost): { readonly end: () => Promise<void> } {
  const stop = new AbortController()
  const run = async () => {
    while (!stop.signal.aborted) {
      await host.rounds(1)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const running = run()
  return {
    end: async () => {
      stop.abort()
      await running
    },
  }
}

/** The order that `twonode token create` on the leader and `twonode join` on a host make. */
export async function orderFor(
  leader: OpenLeader,
  over: Partial<JoinOrder> = {},
): Promise<JoinOrder> {
  const { raw } = new X509Certificate(leader.site.authority.certificatePem)
  const authority = createHash('sha256').update(raw).digest('hex')
  const token = await leader.tokens.create({ old: 'h2', ttlMs: 3_600_000, authority })
  const to = { address: '127.0.0.1', port: leader.api.port() }
  return { name: 'h2', address: '10.77.0.12', to, token, isIn: false, ...over }
}

/** A prepared host, on a disk of its own. */
export class PreparedHost {
  readonly root: string
  readonly said: string[] = []
  /** What it converged itself by. */
  readonly converged: { readonly host: string; readonly meta: HostMeta }[] = []
  readonly outcomes: ConvergeOutcome[] = []
  bundle = BUNDLE

  constructor(root: string) {
    this.root = root
    mkdirSync(join(root, 'etc/twonode'), { recursive: true })
  }

  async order(order: JoinOrder): Promise<void> {
    await writeJoinFile(order, join(this.root, JOIN_FILE))
  }

  /** Asks and converges until it is in, or has paused `pauses` times. */
  async run(pauses = 1): Promise<boolean> {
    const stop = new AbortController()
    let left = pauses
    const clock = {
      ...createClock(),
      sleep: async () => {
        left -= 1
        if (left <= 0) stop.abort()
      },
    }
    return await joinPair(
      {
        root: this.root,
        bundle: this.bundle,
        clock,
        say: (line) => this.said.push(line),
        converge: async ({ host }, meta) => {
          this.converged.push({ host, meta })
          return this.outcomes.shift() ?? DONE
        },
      },
      stop.signal,
    )
  }

  async text(path: string): Promise<string> {
    return await readFile(join(this.root, path), 'utf8')
  }
}
