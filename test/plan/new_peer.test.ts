import { expect, test } from 'vitest'
import type { Plan } from '../../src/core/plan.ts'
import { withNewPeer } from '../../src/plan/new_peer.ts'
import { parseSiteFile, siteFileText } from '../../src/plan/site_file.ts'
import { planOf, step } from '../support/engine_run.ts'

const H3 = { name: 'h3', address: '192.0.2.3' }

function plan(args: Record<string, string> = {}, more: Partial<Plan> = {}): Plan {
  const base = planOf([
    { name: 'all', hosts: 'all', steps: [step('one', 'file', { path: '/x', ...args })] },
    { name: 'its own', hosts: 'h2', steps: [] },
  ])
  const hosts = [
    { name: 'h1', address: '192.0.2.1' },
    { name: 'h2', address: '192.0.2.2' },
  ] as const
  const site = { ...base.site, hosts, initialLeader: 'h2' }
  return { ...base, site, vars: { h1: { a: 1 }, h2: { b: 2 } }, ...more }
}

test('a newcomer takes over name, address, variables and plays, and nothing else changes', () => {
  const before = plan()
  const after = withNewPeer(before, 'h2', H3)
  expect(after.site.hosts).toEqual([before.site.hosts[0], H3])
  expect(after.site.initialLeader).toBe('h3')
  expect(after.vars).toEqual({ h1: { a: 1 }, h3: { b: 2 } })
  expect(after.plays.map(({ hosts }) => hosts)).toEqual(['all', 'h3'])
  const { site: _, vars: __, plays: ___, ...rest } = after
  expect(before).toMatchObject(rest)
})

test('a newcomer in the middle of a change of the major version gets the PostgreSQL of the one it replaces', () => {
  const before = plan()
  const postgres = { ...before.site.postgres, versions: { h2: 17 } }
  const after = withNewPeer({ ...before, site: { ...before.site, postgres } }, 'h2', H3)
  expect(after.site.postgres.versions).toEqual({ h3: 17 })
})

test('a host that keeps a compiled site reads the new one as any other', () => {
  const text = siteFileText({ plan: withNewPeer(plan(), 'h2', H3), secrets: new Map() })
  expect(parseSiteFile(text).site.hosts[1]).toEqual(H3)
})

test('new hardware under the old name and address, or a site that a laptop has renewed, changes nothing', () => {
  const before = plan()
  expect(withNewPeer(before, 'h2', { name: 'h2', address: '192.0.2.2' })).toBe(before)
  const after = withNewPeer(before, 'h2', H3)
  expect(withNewPeer(after, 'h2', H3)).toBe(after)
})

test.each([
  ['a task', plan({ content: 'allow 192.0.2.2/32' }), /the task 'one' says 192\.0\.2\.2/],
  ['an expression', plan({ content: "{{#if (eq host.name 'h2')}}" }), /the task 'one' says h2/],
  ['a variable', plan({}, { vars: { h1: { standby: 'h2' }, h2: {} } }), /a variable says h2/],
])('%s that writes the old one out is refused: its name may be another word', (_, before, why) => {
  expect(() => withNewPeer(before, 'h2', H3)).toThrow(why)
})

test('a longer word or address is none of the old one', () => {
  const text = 'h22 my-h2 192.0.2.25 h2-old 192.0.2.2.example'
  expect(() => withNewPeer(plan({ content: text }), 'h2', H3)).not.toThrow()
})
