import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { type KeyPair, makeAuthority, makeLeaf } from '../../src/host/x509.ts'
import { serialiseClaim } from '../../src/pair/claim.ts'
import { ClaimStore } from '../../src/witness/claim_store.ts'
import { HttpWitness } from '../../src/witness/http.ts'
import { createWitnessServer, type WitnessServerOptions } from '../../src/witness/server.ts'
import { claimBy, keptBy, raced, versionOf } from './claims.ts'

/** Long enough for a busy machine. @unit milliseconds */
const TIMEOUT_MS = 10_000

const CLAIM = claimBy('h1', 5, 'first')
const TOKEN = new Secret('a-token-of-the-site', 'test')

const servers: Server[] = []
const folders: string[] = []
let authority: KeyPair
let leaf: KeyPair

beforeAll(async () => {
  authority = await makeAuthority('witness')
  const names = { commonName: 'witness', subjectAltNames: ['127.0.0.1'] }
  leaf = await makeLeaf({ ...names, usages: ['server'], validDays: 1 }, authority)
})

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function portOf(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  return typeof at === 'object' && at !== null ? at.port : 0
}

/** A witness of ours, and clients of it. */
async function serve(more: Partial<WitnessServerOptions> = {}) {
  const folder = await mkdtemp('/tmp/twonode-witness-')
  folders.push(folder)
  const lines: string[] = []
  const store = new ClaimStore(folder)
  await store.open()
  const options = { store, token: null, sites: null, tls: null, tell: (l: string) => lines.push(l) }
  const port = await portOf(createWitnessServer({ ...options, ...more }))
  const url = `${more.tls == null ? 'http' : 'https'}://127.0.0.1:${port}/v1/claims/lab`
  return { folder, lines, url }
}

function clientOf(url: string, more: Partial<ConstructorParameters<typeof HttpWitness>[0]> = {}) {
  return new HttpWitness({ url, ca: null, token: null, timeoutMs: TIMEOUT_MS, ...more }, 'lab')
}

describe('a witness of ours', () => {
  test('keeps nothing at first, takes one first claim, and swaps by version (A4)', async () => {
    const { url, lines } = await serve()
    const witness = clientOf(url)
    expect(await keptBy(witness)).toBe('absent')
    expect(await witness.swap(CLAIM, null)).toEqual({ kind: 'written' })
    expect(await witness.swap(claimBy('h2', 5, 'late'), null)).toEqual({ kind: 'lost' })
    const version = await versionOf(witness)
    expect(await witness.swap(claimBy('h2', 6, 'second'), version)).toEqual({ kind: 'written' })
    expect(await witness.swap(claimBy('h1', 6, 'old'), version)).toEqual({ kind: 'lost' })
    expect(await keptBy(witness)).toBe('6 h2')
    expect(lines.at(-1)).toBe('lab: refused')
  })

  test('lets one of two win, however often they ask at once (A4)', async () => {
    const { url } = await serve()
    const [one, other] = [clientOf(url), clientOf(url)]
    await one.swap(CLAIM, null)
    for (let term = 6; term < 46; term++) {
      const { told, kept } = await raced(one, other, term)
      expect(told.toSorted()).toEqual(['lost', 'written'])
      expect(kept).toBe(`${term} ${told[0] === 'written' ? 'h1' : 'h2'}`)
    }
  })

  test('has what it answered for after it was ended, and no half of a write that came to nothing', async () => {
    const { folder, url } = await serve()
    await clientOf(url).swap(CLAIM, null)
    await writeFile(join(folder, '.next-1-1'), '{"format":1,"si')
    const again = new ClaimStore(folder)
    const port = await portOf(
      createWitnessServer({ store: again, token: null, sites: null, tls: null, tell: () => {} }),
    )
    expect(await keptBy(clientOf(`http://127.0.0.1:${port}/v1/claims/lab`))).toBe('5 h1')
    expect(await readdir(folder)).toContain('lab.json')
  })

  test('answers over https those who trust its authority and show its token', async () => {
    const tls = { certificate: leaf.certificatePem, key: leaf.keyPem }
    const { url } = await serve({ token: TOKEN, tls })
    const ca = authority.certificatePem
    expect(await keptBy(clientOf(url, { ca, token: TOKEN }))).toBe('absent')
    const wrong = new Secret('another-token', 'test')
    expect(await keptBy(clientOf(url, { ca, token: wrong }))).toContain('answers 401')
    expect(await keptBy(clientOf(url, { ca }))).toContain('answers 401')
    const stranger = await makeAuthority('stranger')
    const unknown = clientOf(url, { ca: stranger.certificatePem, token: TOKEN })
    expect(await keptBy(unknown)).toMatch(/certificate|signature/)
  })

  test('refuses a site that it was not told of, a name that is a path, a write without a condition, and one too long', async () => {
    const { url, folder } = await serve({ sites: ['lab'] })
    const status = async (path: string, body: string, headers = {}) =>
      (await fetch(new URL(path, url), { method: 'PUT', body, headers })).status
    const first = { 'if-none-match': '*' }
    expect(await keptBy(clientOf(url.replace(/lab$/, 'other')))).toContain('answers 403')
    expect(await status('/v1/claims/..%2Flab', '{}', first)).toBe(404)
    expect(await status('/etc/passwd', '{}', first)).toBe(404)
    expect(await status('lab', '{}')).toBe(428)
    expect(await status('lab', '{}', { ...first, 'if-match': '"x"' })).toBe(428)
    expect(await status('lab', 'no JSON', first)).toBe(400)
    expect(await status('lab', `{"a":"${'x'.repeat(5_000)}"}`, first)).toBe(413)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405)
    expect((await readdir(folder)).filter((name) => name.startsWith('lab.json'))).toEqual([])
  })
})

/** What a server does with whoever asks for the claim; it stands the trial before. */
type Lie = (response: ServerResponse, method: string) => void

const TAGGED = { etag: '"1"' }
const answer =
  (status: number, headers: Record<string, string> = {}, text = ''): Lie =>
  (response) =>
    response.writeHead(status, headers).end(text)

/** What a server makes of a trial: does it write, and what is its version of the n-th content? */
interface Trial {
  readonly writes: (headers: IncomingHttpHeaders, version: string) => boolean
  readonly version: (n: number) => string
}

const HONEST: Trial = {
  writes: (headers, version) => headers['if-match'] === version,
  version: (n) => `"${n}"`,
}

/** An object that is there already, as by the trial of the other host. */
function onTrial({ writes, version }: Trial): RequestListener {
  let n = 1
  return (request, response) => {
    request.resume()
    if (request.method === 'GET')
      return void response.writeHead(200, { etag: version(n) }).end('{"trial":"x"}')
    const isWritten = writes(request.headers, version(n))
    if (isWritten) n += 1
    response.writeHead(isWritten ? 200 : 412).end()
  }
}

/** A server that refuses what it has to on its trial, and then lies. */
async function liar(lie: Lie): Promise<HttpWitness> {
  const trial = onTrial(HONEST)
  const server = createHttpServer((request, response) => {
    request.resume()
    if (request.url?.endsWith('.trial') === true) trial(request, response)
    else lie(response, request.method ?? '')
  })
  return clientOf(`http://127.0.0.1:${await portOf(server)}/c`, { timeoutMs: 1_000 })
}

const text = serialiseClaim(CLAIM)

// oxfmt-ignore
test.each<readonly [string, Lie, string]>([
  ['answers 500',                          answer(500, TAGGED, text),                            'it answers 500'],
  ['sends elsewhere',                      answer(302, { location: 'http://127.0.0.1:1/' }),     'it answers 302'],
  ['asks who it is',                       answer(401),                                          'it answers 401'],
  ['gives a weak ETag',                    answer(200, { etag: 'W/"1"' }, text),                 'no strong ETag'],
  ['gives none',                           answer(200, {}, text),                                'no strong ETag'],
  ['keeps something else',                 answer(200, TAGGED, '<html></html>'),                 'no claim'],
  ["keeps another site's claim",           answer(200, TAGGED, text.replace('lab', 'other')),    'of site "other", not lab'],
  ['keeps half a claim',                   answer(200, TAGGED, text.slice(0, 40)),               'no claim'],
  ['sends without end',                    (r) => { r.writeHead(200, TAGGED); r.on('drain', () => r.write('x'.repeat(1000))); while (r.write('x'.repeat(1000))); }, 'longer than 4096 bytes'],
  ['hangs before its answer',              () => {},                                             'no answer within 1000 ms'],
  ['hangs in the middle of it',            (r) => { r.writeHead(200, TAGGED); r.write('{') },    'no answer within 1000 ms'],
  ['hangs up',                             (r) => r.destroy(),                                   'socket hang up'],
])('a server that %s gives no answer, and never a win (A4)', async (_, lie, why) => {
  const witness = await liar(lie)
  expect(await keptBy(witness)).toContain(why)
})

// oxfmt-ignore
test.each([
  [500, 'silent'], [302, 'silent'], [404, 'silent'], [403, 'silent'], [202, 'silent'], [507, 'silent'],
  [409, 'lost'], [412, 'lost'], [200, 'written'], [201, 'written'], [204, 'written'],
])('an answer of %i to a swap counts as %s', async (status, kind) => {
  const witness = await liar(answer(status))
  expect(await witness.swap(CLAIM, '"1"')).toMatchObject({ kind })
})

// oxfmt-ignore
test.each<readonly [string, Partial<Trial>]>([
  ['writes whatever the condition says of a first write', { writes: (headers) => headers['if-none-match'] !== undefined }],
  ['writes whatever the condition says of a version',     { writes: (headers) => headers['if-match'] !== undefined }],
  ['has one version for all that is written in a second', { version: () => '"6921f0a2-3f"' }],
])(
  'a server that %s is no witness, and is asked nothing more (A4)',
  async (_, lie) => {
    const asked: string[] = []
    const trial = onTrial({ ...HONEST, ...lie })
    const server = createHttpServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      trial(request, response)
    })
    const witness = clientOf(`http://127.0.0.1:${await portOf(server)}/c`)
    expect(await keptBy(witness)).toContain('it would let both hosts win')
    expect(await witness.swap(CLAIM, null)).toMatchObject({ kind: 'silent' })
    expect(asked.filter((line) => !line.endsWith('.trial'))).toEqual([])
  },
)

test('nothing that may be secret in a URL is in what is told of it', async () => {
  const witness = clientOf('http://127.0.0.1:1/c?signature=hunter22', { timeoutMs: 1_000 })
  const why = await keptBy(witness)
  expect(why).toContain('http://127.0.0.1:1/c:')
  expect(why).not.toContain('hunter22')
})
