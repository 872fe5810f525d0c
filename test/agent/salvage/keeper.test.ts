import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Note } from '../../../src/agent/ports.ts'
import type { Content } from '../../../src/agent/salvage/content.ts'
import { tableNow } from '../../../src/agent/salvage/folders.ts'
import { type KeeperParts, SalvageKeeper } from '../../../src/agent/salvage/keeper.ts'
import type { SalvageManifest } from '../../../src/core/salvage.ts'
import { scratch } from '../../support/engine_run.ts'

let folder: ReturnType<typeof scratch>
let notes: Note[]
let faults: string[]
let time: number
beforeEach(() => {
  folder = scratch()
  notes = []
  faults = []
  time = 0
})
afterEach(() => folder.remove())

const NONE = { objects: 0, changes: 0 }
const BEATS = { lease: { objects: 3, changes: 500 }, status: { objects: 2, changes: 9 } }

function saved(
  name: string,
  counts: Partial<SalvageManifest['counts']>,
  over: Partial<SalvageManifest> = {},
): string {
  const place = join(folder.path, name)
  mkdirSync(place)
  const all = { spec: NONE, derived: NONE, status: NONE, lease: NONE, event: NONE, own: NONE }
  const manifest = {
    format: 1,
    site: 'edge',
    host: 'h1',
    branch: 1,
    exact: true,
    missing: null,
    at: `2026-11-22T10:00:${name.slice(-2)}Z`,
    counts: { ...all, ...counts },
    files: {},
    ...over,
  }
  writeFileSync(join(place, 'manifest.json'), JSON.stringify(manifest))
  for (const file of ['changes.ndjson', 'objects.ndjson']) writeFileSync(join(place, file), '')
  return place
}

function keeper(over: Partial<KeeperParts> = {}): SalvageKeeper {
  return new SalvageKeeper({
    directory: folder.path,
    site: 'edge',
    note: (entry) => void notes.push(entry),
    faults: { tell: (_, message) => void faults.push(message), clear: () => {} },
    now: () => time,
    wallTime: () => '2026-11-22T12:00:00Z',
    mayCompare: () => true,
    table: async () => await tableNow(folder.path, 17),
    ours: async (revision) => ({ revision: revision ?? 0, digest: '3:42' }),
    leaders: async () => ({ revision: 1200, digest: '3:42' }),
    ...over,
  })
}

const verified = () =>
  JSON.parse(readFileSync(join(folder.path, 'verified.json'), 'utf8')) as object

const unasked = async () => {
  throw new Error('asked')
}

describe('what holds nothing but heartbeats, events and status', () => {
  test('is discarded without a question, with its record kept and a line in the journal', async () => {
    const place = saved('1_10', BEATS)
    const it = keeper({ mayCompare: () => false })
    await it.look()
    await it.look()
    expect(readdirSync(place)).toEqual(['manifest.json', 'settled.json'])
    expect(notes).toMatchObject([
      {
        what: 'discarded',
        name: '1_10',
        words: 'only heartbeats (500), events (0) and status (9): its record stays',
      },
    ])
    expect(it.summary()).toEqual({ waiting: [], unusable: [] })
  })

  test('waits all the same when nobody knows that it is all', async () => {
    saved('1_10', BEATS, { exact: false })
    saved('1_11', BEATS, { missing: 'values were left out' })
    saved('1_12', { ...BEATS, spec: { objects: 1, changes: 1 } })
    saved('1_13', { ...BEATS, derived: { objects: 1, changes: 1 } })
    saved('1_14', {}, { site: 'other' })
    const it = keeper()
    await it.look()
    expect(it.summary()).toEqual({ waiting: ['1_10', '1_11', '1_12', '1_13'], unusable: ['1_14'] })
    expect(notes.filter(({ kind }) => kind === 'salvage')).toMatchObject([{ what: 'verified' }])
  })

  test('has records of the ten newest branches, and the others are forgotten aloud', async () => {
    for (let i = 10; i < 22; i += 1) saved(`1_${i}`, BEATS)
    const it = keeper({ mayCompare: () => false })
    await it.look()
    notes = []
    await it.look()
    expect(readdirSync(folder.path)).toHaveLength(10)
    expect(notes).toMatchObject([
      { what: 'forgotten', name: '1_10' },
      { what: 'forgotten', name: '1_11' },
    ])
  })
})

describe('the copy in the place of an old table', () => {
  test('is verified once, by the content at a revision that both hosts have', async () => {
    saved('1_10', BEATS)
    const asked: (number | null)[] = []
    const ours = async (revision: number | null) => {
      asked.push(revision)
      return { revision: 1200, digest: '3:42' }
    }
    const it = keeper({ ours })
    await it.look()
    time = 600_000
    await it.look()
    expect(asked).toEqual([1200])
    expect(verified()).toMatchObject({ table: 17, revision: 1200, digest: '3:42' })
    // Another copy is another table.
    await keeper({ ours, table: async () => await tableNow(folder.path, 18) }).look()
    expect(asked).toEqual([1200, 1200])
  })

  test.each<[string, Partial<KeeperParts>]>([
    ['it differs', { ours: async () => ({ revision: 1200, digest: '3:41' }) }],
    ['rows are on their way, or were compacted', { ours: async () => null }],
    ['the leader does not answer', { leaders: async (): Promise<Content | null> => null }],
    ['this host does not follow in a pair', { mayCompare: () => false }],
    ['there is no table', { table: async () => null }],
  ])('is not verified while %s, and is compared again later', async (_, over) => {
    saved('1_10', BEATS)
    await keeper(over).look()
    expect(readdirSync(folder.path)).toEqual(['1_10'])
  })

  test('is not compared on a host that has never lost a branch', async () => {
    await keeper({ leaders: unasked }).look()
    expect(faults).toEqual([])
  })
})

test('what goes wrong is a fault and no end of the agent', async () => {
  saved('1_10', BEATS)
  await keeper({ table: async () => await Promise.reject(new Error('no PostgreSQL')) }).look()
  expect(faults).toEqual(['no PostgreSQL'])
})
