import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { serialiseHostMeta } from '../../src/pair/host_meta.ts'
import { step } from '../support/engine_run.ts'
import type { RunnerProgram } from '../support/runner_process.ts'
import { makeLeaf } from '../../src/host/x509.ts'
import { AgentHost, buildAgent, exitOf, PLANTED } from './support/agent_process.ts'
import { metaOf } from './support/metas.ts'
import { makeSite, type SiteTls } from './support/site_tls.ts'

const ALONE = metaOf({ mode: 'alone', term: 3 })

let program: RunnerProgram
let tls: SiteTls
let host: AgentHost

beforeAll(async () => {
  program = await buildAgent()
  tls = await makeSite()
})
afterAll(async () => {
  program.remove()
  await tls.close()
})
afterEach(async () => {
  await host.stop()
  const said = host.said()
  await host.remove()
  if (said.includes(PLANTED)) throw new Error(`a secret was told: ${said}`)
})

/** Renews the agent's certificate, as site.yaml does. */
const RENEWS = step(
  'The agent has a certificate',
  'certificate',
  {
    path: '/etc/twonode/tls/agent.crt',
    key: '/etc/twonode/tls/agent.key',
    common_name: 'h1',
    sans: ['127.0.0.1'],
    usages: ['server', 'client'],
    valid_days: 365,
    renew_before_days: 120,
    owner: 'root',
    group: 'root',
  },
  { tags: ['certificates'] },
)

async function hostWith(name: 'h1' | 'h2', meta: HostMeta, validDays = 365): Promise<AgentHost> {
  host = new AgentHost(program, { name, meta, steps: [RENEWS] })
  await host.prepare()
  await certify(validDays)
  return host
}

/** Gives the host a certificate of the site, its key replaced with it. */
async function certify(validDays: number): Promise<string> {
  const names = { commonName: host.meta.hosts[0]?.name ?? '', subjectAltNames: ['127.0.0.1'] }
  const leaf = await makeLeaf({ ...names, usages: ['server', 'client'], validDays }, tls.authority)
  await writeFile(host.at('etc/twonode/pki/ca.crt'), tls.authority.certificatePem)
  await writeFile(host.at('etc/twonode/pki/ca.key'), tls.authority.keyPem, { mode: 0o600 })
  await writeFile(host.at('etc/twonode/tls/agent.key'), leaf.keyPem, { mode: 0o600 })
  await writeFile(host.at('etc/twonode/tls/agent.crt'), leaf.certificatePem)
  return new X509Certificate(leaf.certificatePem).fingerprint256
}

/** The certificate that the agent's API shows to whoever comes. */
async function shown(): Promise<string> {
  return await new Promise((resolve, reject) => {
    const at = { host: '127.0.0.1', port: host.port, rejectUnauthorized: false }
    const socket = connect(at, () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

/** Of a leader that is alone, and stays so. */
async function leads(): Promise<boolean> {
  const { role, mode, term } = await host.ask('status')
  return role === 'leader' && mode === 'alone' && term === 3
}

test('an agent answers on its socket and its port, gives signs of life, and ends when told to', async () => {
  await hostWith('h1', ALONE)
  await host.start()
  expect(await host.ask('status')).toMatchObject({ host: 'h1', role: 'leader', initialised: true })
  expect(await shown()).toMatch(/^[0-9A-F:]{95}$/)
  const alive = host.at('run/twonode/agent.alive')
  const before = Number(readFileSync(alive, 'utf8'))
  await host.eventually(() => Number(readFileSync(alive, 'utf8')) > before)
  expect(await host.stop()).toBe(0)
  expect(existsSync(host.at('run/twonode/agent.sock'))).toBe(false)
  expect(host.output).toBe('')
})

test('a host without a site it can read has no agent: it says why, and gives no sign of life', async () => {
  await hostWith('h1', ALONE)
  await writeFile(host.at('etc/twonode/site.yaml'), 'format: 1\nplan: {')
  expect(await exitOf(host.launch())).toBe(5)
  expect(host.output).toMatch(/can not converge itself: .*site\.yaml is torn/)
  expect(existsSync(host.at('run/twonode/agent.alive'))).toBe(false)
})

/** hostMeta's file says again what the agent knows. */
function isWhole(): boolean {
  return readFileSync(host.at('state/host-meta.yaml'), 'utf8') === serialiseHostMeta(ALONE)
}

const DAMAGES: [what: string, fault: string, words: RegExp, damage: () => Promise<void>][] = [
  [
    'a torn hostMeta',
    'hostMeta',
    /the last known one is used/,
    async () => await writeFile(host.at('state/host-meta.yaml'), `leader: h2\nmode: [${PLANTED}`),
  ],
  [
    "another site's hostMeta",
    'hostMeta',
    /site/,
    async () =>
      await writeFile(
        host.at('state/host-meta.yaml'),
        serialiseHostMeta(metaOf({ site: 'other', term: 9, leader: 'h2' })),
      ),
  ],
  [
    'a torn site file',
    'site',
    /site\.yaml is torn/,
    async () => await writeFile(host.at('etc/twonode/site.yaml'), `plan: {${PLANTED}`),
  ],
  [
    'torn secrets',
    'site',
    /secrets is torn/,
    async () => await writeFile(host.at('etc/twonode/secrets'), `{"format":1,"x":"${PLANTED}`),
  ],
  [
    'a site whose program does not start',
    'site',
    /does not start/,
    async () => await host.writeSite({ bundle: 'c'.repeat(64) }),
  ],
  [
    'a certificate of nobody',
    'certificate',
    /can not be used: .*the one before is used/,
    async () => await writeFile(host.at('etc/twonode/tls/agent.crt'), PLANTED),
  ],
]

test.each(DAMAGES)(
  '%s leaves the leader leading, by the same process, with one clear event',
  async (_, fault, words, damage) => {
    await hostWith('h1', ALONE)
    const child = await host.start()
    await host.eventually(leads)
    await damage()
    await host.eventually(() => host.faults(fault).length > 0)
    expect(host.faults(fault)).toEqual([expect.stringMatching(words)])
    if (fault === 'hostMeta') await host.eventually(isWhole)
    expect(await leads()).toBe(true)
    expect(child.exitCode).toBeNull()
  },
)

test('a sentinel that is a folder pauses, as any other does', async () => {
  await hostWith('h1', ALONE)
  await host.start()
  await mkdir(host.at('state/.two-node-pause'))
  await host.eventually(async () => (await host.ask('status'))['paused'] === true)
  await rm(host.at('state/.two-node-pause'), { recursive: true })
  await host.eventually(async () => (await host.ask('status'))['paused'] === false)
  expect(await leads()).toBe(true)
})

test('a site that has replaced its own ends the agent, for systemd to start it anew', async () => {
  await hostWith('h1', metaOf({ mode: 'alone', term: 3, leader: 'h2' }))
  const child = await host.start()
  await host.writeSite({ failures: 5 })
  expect(await exitOf(child)).toBe(0)
  expect(host.faults('site')).toEqual([])
})

test('a certificate that was replaced is shown without a restart', async () => {
  await hostWith('h1', ALONE)
  const child = await host.start()
  const fresh = await certify(365)
  await host.eventually(async () => (await shown()) === fresh)
  expect(child.exitCode).toBeNull()
})

test('one that has expired is told of, and renewed under the authority of the site', async () => {
  await hostWith('h1', ALONE, -1)
  await rename(host.at('etc/twonode/pki/ca.key'), host.at('etc/twonode/pki/kept'))
  await host.start()
  const old = await shown()
  await host.eventually(() => host.faults('certificate-expiry').length > 0)
  expect(host.faults('certificate-expiry')).toEqual([expect.stringMatching(/expired at \d{4}-/)])
  await copyFile(host.at('etc/twonode/pki/kept'), host.at('etc/twonode/pki/ca.key'))
  await host.stop()
  await host.start()
  await host.eventually(async () => (await shown()) !== old)
  const pem = readFileSync(host.at('etc/twonode/tls/agent.crt'), 'utf8')
  expect(new X509Certificate(pem).fingerprint256).toBe(await shown())
  expect(Date.parse(new X509Certificate(pem).validTo)).toBeGreaterThan(Date.now())
})
