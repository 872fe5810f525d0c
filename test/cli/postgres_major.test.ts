import { expect, test } from 'vitest'
import { judgeHellos } from '../../src/cli/judge_hellos.ts'
import { mixedMajors, otherMajor } from '../../src/cli/postgres_major.ts'
import { helloOf, settingsOf } from './support/scripted_pair.ts'

/** A site whose inventory has these versions. */
function wanting(version: number, versions: Record<string, number> = {}) {
  const { site } = settingsOf()
  return { ...site, postgres: { ...site.postgres, version, versions } }
}

/** Both hosts, of which h1 leads. */
const serving = (h1?: number, h2?: number) =>
  [
    ['h1', h1],
    ['h2', h2],
  ].map(([host, postgresMajor]) =>
    helloOf(String(host), typeof postgresMajor === 'number' ? { postgresMajor } : {}),
  )

function said(more: Parameters<typeof settingsOf>[0], hellos = serving(15, 15)): string {
  const refused = otherMajor(settingsOf(more), hellos, 'h1')
  return refused === undefined ? 'agreed' : `${refused.code}: ${refused.message}. ${refused.hint}`
}

test('a converge of the version that serves, or of a bare host, is held up by nothing', () => {
  expect(said({ site: wanting(15) })).toBe('agreed')
  expect(said({ site: wanting(17) }, serving())).toBe('agreed')
  expect(said({ site: wanting(17, { h1: 15 }) }, serving(15, 17))).toBe('agreed')
})

test('a plain converge of a site whose major version was raised is refused, and says what brings it', () => {
  expect(said({ site: wanting(17) })).toBe(
    'E_POSTGRES_MAJOR: PostgreSQL 15 serves on h1, and the inventory has 17. `twonode upgrade --postgres-major 17` brings it, one host after the other; or write 15 back until then.',
  )
  expect(said({ site: wanting(15, { h2: 17 }) })).toMatch(/15 serves on h2/)
})

test('a play that sets up no cluster may run meanwhile', () => {
  expect(said({ site: wanting(17), setsUpPostgres: false })).toBe('agreed')
})

test('an older version than the one that serves is refused, whoever asks', () => {
  const older = { site: wanting(15), allowDowngrade: true, overTo: 'h2' }
  expect(said(older, serving(15, 17))).toMatch(
    /^E_DOWNGRADE: PostgreSQL 17 serves on h2, .* older\. Write 17 there/,
  )
})

test('an upgrade may move the follower that it names, and no leader', () => {
  const site = wanting(15, { h2: 17 })
  expect(said({ site, overTo: 'h2' })).toBe('agreed')
  expect(said({ site: wanting(15, { h1: 17 }), overTo: 'h1' })).toMatch(/h1 leads/)
})

test('who looks is told of it, and of a change that is half done', () => {
  const looking = settingsOf({ site: wanting(17), lookOnly: true, setsUpPostgres: false })
  const judged = judgeHellos(looking, serving(15, 17))
  expect(judged.kind === 'agreed' && judged.notes.map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      'PostgreSQL 15 serves on h1, and the inventory has 17',
      'two major versions of PostgreSQL serve: 15 on h1, 17 on h2; `twonode upgrade --postgres-major 17` ends that',
    ]),
  )
  expect(mixedMajors(serving(15, 15))).toBeUndefined()
  expect(mixedMajors(serving())).toBeUndefined()
})
