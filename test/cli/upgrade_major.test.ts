import { expect, test } from 'vitest'
import {
  hasOtherMajor,
  isOnItsWay,
  refuseMajor,
  refuseMajorOn,
} from '../../src/cli/upgrade_major.ts'
import type { MajorState } from '../../src/cli/upgrade_plan.ts'
import { withVersions } from '../../src/core/site.ts'
import { siteOf } from '../support/site.ts'

const BASE = siteOf()
const SEVENTEEN = siteOf({
  postgres: { ...BASE.postgres, version: 17, dataDirectory: '/var/lib/postgresql/17/main' },
})
const TO_17 = { postgresMajor: 17, keepRoles: false }

function host(serves: number | null, more: Partial<MajorState> = {}, leads = false) {
  const name = leads ? 'h1' : 'h2'
  return {
    name,
    leads,
    postgres: { serves, site: serves, keptAside: [], size: null, room: null, ...more },
  }
}

test.each<[string, number | null, number | null, boolean, boolean]>([
  ['one on the old version', 15, 15, true, false],
  ['one whose old cluster is stopped', null, 15, true, true],
  ['one with the new cluster, of which its agent has not heard', 17, 15, true, true],
  ['one that is there', 17, 17, false, false],
  ['one that does not say what its agent goes by', 17, null, true, false],
])('%s', (_, serves, site, isToDo, isUnderWay) => {
  expect(hasOtherMajor(TO_17, host(serves, { site }))).toBe(isToDo)
  expect(isOnItsWay(TO_17, host(serves, { site }))).toBe(isUnderWay)
  expect(isOnItsWay(TO_17, host(serves, { site }, true)), 'a leader never is').toBe(false)
})

test('the inventory must have the version for both hosts, and the roles can not stay', () => {
  expect(() => refuseMajor(SEVENTEEN, TO_17)).not.toThrow()
  expect(() => refuseMajor(BASE, TO_17)).toThrow(/--postgres-major 17: the inventory has 15 for h1/)
  const mixed = withVersions(SEVENTEEN, { h1: 17, h2: 16 })
  expect(() => refuseMajor(mixed, TO_17)).toThrow(/has 16 for h2/)
  expect(() => refuseMajor(SEVENTEEN, { ...TO_17, keepRoles: true })).toThrow(/--keep-roles/)
})

test('a folder of its own for the data can not be shared by two clusters', () => {
  const own = { ...SEVENTEEN, postgres: { ...SEVENTEEN.postgres, dataDirectory: '/srv/pg' } }
  expect(() => refuseMajor(own, TO_17)).toThrow(/dataDirectory is \/srv\/pg/)
})

test.each<[string, Partial<MajorState>, RegExp]>([
  ['that serves with a newer version', { serves: 18 }, /h2 has PostgreSQL 18, and 17 is older/],
  [
    'that keeps a table aside',
    { keptAside: ['twonode_branch_5_1'] },
    /h2 keeps twonode_branch_5_1/,
  ],
  [
    'without room for a second cluster',
    { size: 1024 ** 3, room: 1024 ** 3 },
    /needs 1536 MB on h2, and 1024 MB are free/,
  ],
])('a host %s does not go over', (_, more, why) => {
  expect(() => refuseMajorOn(SEVENTEEN, TO_17, [host(15, more)])).toThrow(why)
})

test('a host that has gone over already is asked for nothing', () => {
  const there = { keptAside: ['twonode_branch_5_1'], size: 1e12, room: 1 }
  expect(() => refuseMajorOn(SEVENTEEN, TO_17, [host(17, there), host(15)])).not.toThrow()
})

test('without --postgres-major the hosts must have what the inventory has', () => {
  const wanted = { postgresMajor: undefined, keepRoles: false }
  expect(() => refuseMajorOn(SEVENTEEN, wanted, [host(15)])).toThrow(/15 serves on h2.*has 17/)
  expect(() => refuseMajorOn(BASE, wanted, [host(15), host(null, {}, true)])).not.toThrow()
})
