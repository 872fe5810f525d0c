import { expect, test } from 'vitest'
import {
  firstMeta,
  type InstallFacts,
  installationOf,
  ownName,
  siteTexts,
} from '../../src/agent/install.ts'
import type { Plan } from '../../src/core/plan.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { parseHostMeta, serialiseHostMeta } from '../../src/pair/host_meta.ts'
import { secretsFileText } from '../../src/plan/site_file.ts'
import { planOf, step } from '../support/engine_run.ts'

const PLAN = planOf([])
const NOW = '2026-01-01T00:00:00.000Z'

function facts(over: Partial<InstallFacts> = {}): InstallFacts {
  return {
    plan: PLAN,
    host: 'h1',
    meta: undefined,
    wants: undefined,
    pairAnswers: false,
    agent: { role: 'follower', impaired: false, settled: true },
    hasAgent: true,
    appliedVersion: undefined,
    postgresMajor: undefined,
    allowDowngrade: false,
    now: NOW,
    ...over,
  }
}

const member = firstMeta(PLAN, 'h2', NOW)

test('a host of the pair is renewed, whatever was said', () => {
  for (const wants of [undefined, 'first', 'join'] as const)
    expect(installationOf(facts({ meta: member, wants }))).toEqual({ kind: 'renew', meta: member })
})

test('a leader that stands still, or whose agent is silent, is not made to lead by a bundle (A5)', () => {
  const leads = { meta: firstMeta(PLAN, 'h1', NOW) }
  const agent = { role: 'leader', impaired: false, settled: true }
  expect(installationOf(facts({ ...leads, agent })).kind).toBe('renew')
  const refused = (over: Partial<InstallFacts>) => () =>
    installationOf(facts({ ...leads, agent, ...over }))
  expect(refused({ agent: { ...agent, impaired: true } })).toThrow('may not lead now')
  expect(refused({ agent: { ...agent, settled: false } })).toThrow('not settled')
  expect(refused({ agent: { ...agent, role: 'replaced' } })).toThrow('of the pair no more')
  expect(refused({ agent: undefined })).toThrow('its agent does not answer')
  // A follower without its agent follows; a first host that was cut has none yet.
  expect(installationOf(facts({ meta: member, agent: undefined })).kind).toBe('renew')
  expect(installationOf(facts({ ...leads, agent: undefined, hasAgent: false })).kind).toBe('renew')
})

test('a host of another site, or of a pair whose hosts have changed, is left alone', () => {
  const foreign = { ...member, site: 'other' }
  expect(() => installationOf(facts({ meta: foreign }))).toThrow('this host is of site other')
  const hosts = member.hosts.map((host, i) => (i === 0 ? { ...host, name: 'h3' } : host))
  expect(() => installationOf(facts({ meta: { ...member, hosts } }))).toThrow(/the pair is .*h3/)
})

test('a bundle with another major version of PostgreSQL is left to an upgrade', () => {
  expect(installationOf(facts({ meta: member, postgresMajor: 15 })).kind).toBe('renew')
  expect(() => installationOf(facts({ meta: member, postgresMajor: 17 }))).toThrow(
    'this host has PostgreSQL 17, and the bundle brings 15',
  )
})

test('a new host is told what it is to be, and is never the first of a pair that answers', () => {
  expect(() => installationOf(facts())).toThrow('nobody said what it is to be')
  expect(() => installationOf(facts({ wants: 'first', pairAnswers: true }))).toThrow(
    'it is there already',
  )
  expect(installationOf(facts({ wants: 'join' }))).toEqual({ kind: 'join' })
  expect(installationOf(facts({ wants: 'first' })).kind).toBe('first')
})

test("the first host leads alone, in a term in which no laptop's first pairing is waited for", () => {
  const meta = firstMeta(PLAN, 'h1', NOW)
  expect(parseHostMeta(serialiseHostMeta(meta))).toEqual(meta)
  expect(meta).toMatchObject({ leader: 'h1', mode: 'alone', term: 2, branch: 1, slot: null })
})

test('an older twonode takes the place of a newer one only when that is said', () => {
  const older = { meta: member, appliedVersion: '2.0.0' }
  expect(() => installationOf(facts(older))).toThrow('twonode 2.0.0; the bundle is of 1.2.3')
  expect(installationOf(facts({ ...older, allowDowngrade: true })).kind).toBe('renew')
  expect(installationOf(facts({ meta: member, appliedVersion: '1.2.3' })).kind).toBe('renew')
})

test('a host knows itself by its address, or by what it was told', () => {
  const [h1, h2] = PLAN.site.hosts
  expect(ownName(PLAN, undefined, ['127.0.0.1', h2.address])).toBe('h2')
  expect(ownName(PLAN, 'h1', [h2.address])).toBe('h1')
  expect(() => ownName(PLAN, 'h9', [h1.address])).toThrow('of h1 and h2, not of h9')
  expect(() => ownName(PLAN, undefined, [])).toThrow('no address of h1 or h2')
  expect(() => ownName(PLAN, undefined, [h1.address, h2.address])).toThrow('no address of')
})

test('secrets are the ones that lie on the host: those that are used no more are left out, one that is missing is named', () => {
  const plan: Plan = planOf([
    { steps: [step('a', 'file', { path: '/a', content: { $secret: 'env:TOKEN' } })] },
  ])
  const known = new Map([['env:TOKEN', new Secret('a secret of it', 'env:TOKEN')]])
  const onHost = reveal(secretsFileText({ plan, host: 'h1', secrets: known }))
  expect(reveal(siteTexts(plan, 'h1', onHost).secrets)).toBe(onHost)
  expect(reveal(siteTexts(PLAN, 'h1', onHost).secrets)).not.toContain('a secret of it')
  expect(() => siteTexts(plan, 'h1', undefined)).toThrow('does not have the secret env:TOKEN')
})
