import { expect, test } from 'vitest'
import { namesOf } from '../../src/engine/names.ts'
import { PAIR, planOf } from '../support/engine_run.ts'

test('each host sees itself, its peer, and the site as hostMeta has it', () => {
  const plan = { ...planOf([]), vars: { h1: { motd: 'one' }, h2: { motd: 'two' } } }
  const pair = { ...PAIR, leader: 'h2', term: 4, mode: 'paired' } as const
  const names = namesOf({ plan, host: 'h1', pair, facts: { cpus: 2 } })
  expect(names).toMatchObject({
    vars: { motd: 'one' },
    host: { name: 'h1', address: '192.0.2.1', role: 'follower' },
    peer: { name: 'h2', role: 'leader', vars: { motd: 'two' } },
    site: { name: 'test', initialLeader: 'h1', leader: 'h2', term: 4, mode: 'paired' },
    facts: { cpus: 2 },
  })
})
