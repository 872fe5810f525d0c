import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answerWitness } from '../../src/agent/witness_answer.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { Site, WitnessSettings } from '../../src/core/site.ts'
import { messageIn } from '../../src/cli/host_words.ts'
import { claimText } from '../../src/pair/claim.ts'
import { ClaimStore } from '../../src/witness/claim_store.ts'
import { FileWitness, initFileWitness } from '../../src/witness/file.ts'
import { createWitnessServer } from '../../src/witness/server.ts'
import { planOf } from '../support/engine_run.ts'
import { ScriptedHost } from '../support/scripted_agent.ts'
import { claimBy } from '../witness/claims.ts'
import { META } from './support/control_agent.ts'

/** Long enough for a busy machine. @unit milliseconds */
const timeoutMs = 10_000

const CLAIM = claimBy('h1', 5, 'first')

let folder: string
let server: Server | undefined
let store: ClaimStore | undefined

beforeEach(async () => {
  folder = await mkdtemp('/tmp/twonode-show-')
})
afterEach(async () => {
  server?.closeAllConnections()
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)))
  await store?.close()
  server = undefined
  store = undefined
  await rm(folder, { recursive: true, force: true })
})

/** A witness of ours, without a key: its address is this test's alone. */
async function served(): Promise<WitnessSettings> {
  store = new ClaimStore(folder)
  await store.open()
  const one = createWitnessServer({ store, token: null, tls: null, sites: null, tell: () => {} })
  server = one
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))
  const at = one.address()
  const port = typeof at === 'object' && at !== null ? at.port : 0
  const url = `http://user:secret-word@127.0.0.1:${port}/v1/claims/lab`
  return { kind: 'http', url, ca: null, token: null, timeoutMs }
}

async function shown(settings: WitnessSettings | null): Promise<JsonObject> {
  const host = new ScriptedHost('h2', { meta: META })
  await host.core.start()
  const plan = planOf([])
  const site: Site = { ...plan.site, name: 'lab', witness: settings }
  const lines: JsonObject[] = []
  const parts = {
    core: host.core,
    clock: host.clock,
    site: {
      host: 'h2',
      plan: { ...plan, site },
      secrets: new Map<string, never>(),
      isReplaced: () => false,
      takeIn: async () => {},
    },
  }
  await answerWitness(parts, {}, (line) => lines.push(line))
  const [line = {}] = lines
  return line
}

test('what an HTTP witness keeps, that it passes its trial, and what the host believes; the claim stays (A4)', async () => {
  const settings = await served()
  expect(await shown(settings)).toMatchObject({ says: 'absent', trial: 'passed', claim: null })
  const share = { directory: join(folder, 'share'), site: 'lab', timeoutMs }
  await initFileWitness(share.directory)
  const file: WitnessSettings = { kind: 'file', directory: share.directory, timeoutMs }
  await new FileWitness(share).swap(CLAIM, null)
  const before = await readdir(share.directory)
  const said = await shown(file)
  expect(said).toMatchObject({
    host: 'h2',
    backend: 'file',
    says: 'claim',
    trial: 'none',
    claim: { term: 5, holder: 'h1', nonce: 'first' },
    heardAgoMs: null,
    leader: 'h1',
    mode: 'paired',
  })
  expect(messageIn(said).split('\n')).toEqual([
    `witness    file, ${share.directory}`,
    `it says    ${claimText(CLAIM)}, nonce first`,
    'trial      none is made of a folder or a program: that it swaps is theirs to keep',
    `this host  h2 follows h1, paired, term ${META.term}`,
    'its agent  has not asked it yet',
  ])
  expect(await readdir(share.directory)).toEqual(before)
})

test('nothing of its address that may be secret is shown', async () => {
  expect(JSON.stringify(await shown(await served()))).not.toContain('secret-word')
})

test('a witness that writes whatever the condition says does not pass (A4)', async () => {
  const { createServer } = await import('node:http')
  const one = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(201, { etag: '"1"' }).end())
  })
  server = one
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))
  const at = one.address()
  const port = typeof at === 'object' && at !== null ? at.port : 0
  const url = `http://127.0.0.1:${port}/claim`
  const said = await shown({ kind: 'http', url, ca: null, token: null, timeoutMs })
  expect(said).toMatchObject({ says: 'silent', trial: 'not passed', claim: null })
  expect(said['message']).toContain('it would let both hosts win')
})

test('a program that fails is no answer, in its own words', async () => {
  const path = join(folder, 'claim')
  await writeFile(path, '#!/bin/sh\nexit 3\n')
  await chmod(path, 0o755)
  const said = await shown({ kind: 'script', command: [path], timeoutMs })
  expect(said).toMatchObject({ says: 'silent', trial: 'none', place: path })
  expect(said['trouble']).toContain('it ended with 3')
})

test('a site without a witness says what one is', async () => {
  await expect(shown(null)).rejects.toMatchObject({ code: 'E_MISSING' })
})
