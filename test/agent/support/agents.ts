import { readFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { Faults } from '../../../src/agent/faults.ts'
import { createClock } from '../../../src/agent/clock.ts'
import { createPeerApi, type PeerApi, type PeerHandlers } from '../../../src/agent/peer_api.ts'
import { createPeerClient, type PeerClient } from '../../../src/agent/peer_client.ts'
import type { Pair, PeerStatus } from '../../../src/agent/peer_messages.ts'
import type { HandOverRequest } from '../../../src/agent/ports.ts'
import { TlsFiles, type TlsPaths } from '../../../src/agent/tls_files.ts'
import { SAYS } from '../../support/agent_sightings.ts'
import { metaOf } from './metas.ts'

export const H1: Pair = { site: 'lab', self: 'h1', peer: 'h2' }
const H2: Pair = { site: 'lab', self: 'h2', peer: 'h1' }

/** What h2's agent says of itself. */
export function statusOf(over: Partial<PeerStatus> = {}): PeerStatus {
  return {
    ...SAYS,
    host: 'h2',
    bootId: 'boot-of-h2',
    meta: metaOf(),
    proofTerm: 2,
    ...over,
  }
}

/** h2's API, and what it was asked and told. */
export interface ServedApi {
  readonly api: PeerApi
  readonly tls: TlsFiles
  readonly faults: string[]
  readonly asked: (HandOverRequest | { readonly voided: number })[]
  status: PeerStatus
  /** What the handlers do beyond answering. */
  before: () => Promise<void>
  close(): Promise<void>
}

export async function serveApi(paths: TlsPaths, port = 0, pair = H2): Promise<ServedApi> {
  const faults: string[] = []
  const log = new Faults(({ message }) => faults.push(message))
  const tls = new TlsFiles(paths, log)
  const asked: ServedApi['asked'] = []
  const handlers: PeerHandlers = {
    status: () => served.status,
    statusForOthers: () => served.status,
    content: async () => ({ revision: 7, digest: '3:42' }),
    decisions: async () => [{ at: '2026-11-21T12:00:00.000Z', kind: 'decision' }],
    replacement: async () => {
      await served.before()
      return {}
    },
    voidProof: async (term) => {
      await served.before()
      asked.push({ voided: term })
      return true
    },
    handOver: async (request) => {
      await served.before()
      asked.push(request)
      return request.phase === 'digest' ? { ok: true, digest: 'd1' } : { ok: false, why: 'not now' }
    },
  }
  const place = { address: '127.0.0.1', peerAddress: () => '127.0.0.1', port, intervalMs: 1_000 }
  const api = createPeerApi({ pair, tls, handlers, faults: log, ...place })
  const served: ServedApi = {
    api,
    tls,
    faults,
    asked,
    status: statusOf(),
    before: async () => {},
    close: api.close,
  }
  await api.start(new AbortController().signal)
  return served
}

/** h1's client, and the faults that it told. */
export async function clientOf(
  paths: TlsPaths,
  port: number,
  pair: Pair = H1,
): Promise<{ readonly client: PeerClient; readonly tls: TlsFiles; readonly faults: string[] }> {
  const faults: string[] = []
  const log = new Faults(({ message }) => faults.push(message))
  const tls = new TlsFiles(paths, log)
  await tls.refresh()
  const at = { address: '127.0.0.1', port }
  const client = createPeerClient({ pair, ...at, tls, faults: log, clock: createClock() })
  return { client, tls, faults }
}

/** A request by hand, as no agent of ours would send it. */
export async function askByHand(
  at: { readonly port: number; readonly paths: TlsPaths | null },
  method: string,
  path: string,
  body?: string,
): Promise<{ readonly status: number; readonly reason: unknown; readonly text: string }> {
  const own =
    at.paths === null
      ? {}
      : { cert: await readFile(at.paths.certificate), key: await readFile(at.paths.key) }
  return await new Promise((resolve, reject) => {
    const asked = httpsRequest(
      {
        host: '127.0.0.1',
        port: at.port,
        method,
        path,
        rejectUnauthorized: false,
        agent: false,
        ...own,
      },
      (answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString()
        })
        answer.once('end', () => {
          const parsed = JSON.parse(text) as { error?: { reason: string } }
          resolve({ status: answer.statusCode ?? 0, reason: parsed.error?.reason, text })
        })
      },
    )
    asked.once('error', reject)
    asked.end(body)
  })
}
