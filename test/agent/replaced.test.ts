import { afterEach, beforeEach, expect, test } from 'vitest'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { SILENT } from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { follower, leader } from '../support/settled_agents.ts'
import { askByHand, clientOf, type ServedApi, serveApi, statusOf } from './support/agents.ts'
import { metaOf } from './support/metas.ts'
import { makeSite, type SiteTls } from './support/site_tls.ts'

/** h2 leads alone, and h3 has taken the place of h1. */
const REPLACED: HostMeta = metaOf({
  term: 7,
  branch: 7,
  mode: 'alone',
  began: 'promotion',
  leader: 'h2',
  slot: 'h3_7_2',
  hosts: [
    { name: 'h3', address: '10.77.0.13', role: 'follower' },
    { name: 'h2', address: '10.77.0.12', role: 'leader' },
  ],
})

let site: SiteTls
let served: ServedApi
beforeEach(async () => {
  site = await makeSite()
  served = await serveApi(await site.host('h2'), 0, { site: 'lab', self: 'h2', peer: 'h3' })
  served.status = statusOf({ meta: REPLACED, proofTerm: null })
})
afterEach(async () => {
  await served.close()
  await site.close()
})

/** What h1 hears when it wakes up, by its old certificate and its old site. */
async function heardByH1() {
  const { client, faults } = await clientOf(await site.host('h1'), served.api.port())
  const answer = await client.status(2_000)
  client.close()
  return { answer, faults }
}

test.each([
  ['led', leader],
  ['followed', follower],
] as const)(
  'a host that %s and wakes up after it was replaced hears so, takes no more writes, and stands down (B10)',
  async (_, settled) => {
    const { answer } = await heardByH1()
    expect(answer?.meta).toEqual(REPLACED)
    const host = await settled()
    const before = host.disk.meta
    host.converges = { impair: () => DONE }
    const meta = { ...REPLACED, site: before?.site ?? '' }
    // The one that is asked here is called h2; it is the peer of whoever asks.
    const self = host.self
    const peer = self === 'h1' ? 'h2' : 'h1'
    const hosts = REPLACED.hosts.map((one) => (one.name === 'h2' ? { ...one, name: peer } : one))
    const heard = answer === null ? null : { ...answer, meta: { ...meta, leader: peer, hosts } }
    await host.rounds(2, { peerAgent: heard })
    // One that led has killed its kine before anything else.
    const said = () => host.log.filter((line) => line !== 'kine is killed')
    expect(said()).toEqual([`meta 7/7 alone ${peer} h3_7_2`, 'converge impair urgent'])
    // Neither silence nor power brings it back.
    await host.rounds(20, SILENT)
    expect(host.rule).toBe('stood-down')
    await host.reboot()
    await host.rounds(20)
    expect(said().filter((line) => !line.startsWith('converge impair'))).toHaveLength(1)
    expect(host.rule).toBe('stood-down')
  },
)

test('it is told nothing else, and can ask for nothing: its certificate is of the site, and of no peer', async () => {
  const paths = await site.host('h1')
  const at = { port: served.api.port(), paths }
  const body = '{"format":1,"site":"lab","nonce":"0123456789abcdef","term":7,"phase":"yield"}'
  for (const [method, path] of [
    ['POST', '/v1/void-proof'],
    ['POST', '/v1/handover'],
    ['GET', '/v1/decisions?format=1&site=lab&nonce=0123456789abcdef'],
  ] as const)
    expect(await askByHand(at, method, path, method === 'POST' ? body : undefined)).toMatchObject({
      status: 403,
      reason: 'certificate',
    })
  expect(served.asked).toEqual([])
})

test('a certificate for clients alone, such as kine’s, is told nothing', async () => {
  const paths = await site.host('kine', { usages: ['client'] })
  const query = 'format=1&site=lab&nonce=0123456789abcdef'
  const at = { port: served.api.port(), paths }
  expect((await askByHand(at, 'GET', `/v1/status?${query}`)).status).toBe(403)
})

test('a peer whose hostMeta names neither itself nor us lies, and is not followed', async () => {
  const [h3] = REPLACED.hosts
  const hosts = [h3!, { ...REPLACED.hosts[1]!, name: 'h4' }]
  served.status = statusOf({ meta: { ...REPLACED, leader: 'h4', hosts }, proofTerm: null })
  const { answer, faults } = await heardByH1()
  expect(answer).toBeNull()
  expect(faults.join()).toMatch(/does not name h2 itself/)
})
