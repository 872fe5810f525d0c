import { execFile } from 'node:child_process'
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Note } from '../../src/agent/ports.ts'
import { openStateFiles, type StateFiles } from '../../src/agent/state_files.ts'
import { HOST_META_FILE, serialiseHostMeta } from '../../src/pair/host_meta.ts'
import { metaOf } from './support/metas.ts'

const run = promisify(execFile)

let directory: string
let faults: (Note & { kind: 'fault' })[]

beforeEach(async () => {
  directory = await mkdtemp('/tmp/twonode-state-')
  faults = []
})

afterEach(async () => await rm(directory, { recursive: true, force: true }))

const moment = () => ({ boot: 'b', upMs: 5_000, wallMs: Date.parse('2026-11-22T12:00:00Z') })

function note(entry: Note): void {
  if (entry.kind === 'fault') faults.push(entry)
}

/** An agent that has just started on what is on the disk. */
function started(): StateFiles {
  return openStateFiles({ directory, site: 'lab', note, moment })
}

const place = () => join(directory, HOST_META_FILE)

test('a host without a hostMeta has none, and that is no fault', async () => {
  expect(await started().readMeta()).toEqual({ meta: null, fault: null })
  expect(faults).toEqual([])
})

test('what was written is read again, by this agent and by the next one', async () => {
  const files = started()
  await files.writeMeta(metaOf({ term: 7 }))
  expect(await files.readMeta()).toEqual({ meta: metaOf({ term: 7 }), fault: null })
  expect(await started().readMeta()).toEqual({ meta: metaOf({ term: 7 }), fault: null })
  expect((await readdir(directory)).toSorted()).toEqual(['history', HOST_META_FILE])
})

test('what a laptop writes meanwhile is seen in the next round', async () => {
  const files = started()
  await files.writeMeta(metaOf({ term: 1, mode: 'alone' }))
  expect((await files.readMeta()).meta?.mode).toBe('alone')
  await writeFile(place(), serialiseHostMeta(metaOf()))
  expect((await files.readMeta()).meta?.mode).toBe('paired')
})

const BROKEN: readonly (readonly [string, string | Buffer, RegExp])[] = [
  ['empty', '', /it is empty/],
  ['torn', serialiseHostMeta(metaOf({ term: 9 })).slice(0, 120), /is missing/],
  ['of another site', serialiseHostMeta(metaOf({ term: 9, site: 'other' })), /of site other/],
  ['no YAML', Buffer.from([0, 255, 1, 2, 58, 10, 9]), /no hostMeta/],
  ['a list', '- 1\n', /it is no mapping/],
  [
    'led by nobody',
    serialiseHostMeta(metaOf()).replace('role: leader', 'role: follower'),
    /0 hosts/,
  ],
  ['of a negative term', serialiseHostMeta(metaOf()).replace('term: 2', 'term: -2'), /term/],
  ['of a later format', serialiseHostMeta(metaOf()).replace('format: 1', 'format: 9'), /format/],
]

test.each(BROKEN)(
  'a hostMeta that is %s is no role: the version before is used, and why is said',
  async (_, content, words) => {
    await started().writeMeta(metaOf({ term: 6 }))
    await writeFile(place(), content)
    const files = started()
    const { meta, fault } = await files.readMeta()
    expect(meta).toEqual(metaOf({ term: 6 }))
    expect(fault).toMatch(words)
    expect(await readFile(place())).toEqual(Buffer.from(content))
  },
)

test('a broken hostMeta without any older version is none, and a fault', async () => {
  await writeFile(place(), 'term: 5')
  const { meta, fault } = await started().readMeta()
  expect(meta).toBeNull()
  expect(fault).toMatch(/no older one is known/)
})

test('a hostMeta that was removed by hand is still known', async () => {
  await started().writeMeta(metaOf({ term: 6 }))
  await rm(place())
  const { meta, fault } = await started().readMeta()
  expect([meta?.term, fault]).toEqual([6, expect.stringMatching(/it is missing/)])
})

test('a damaged version in the history is passed over', async () => {
  const files = started()
  for (const term of [4, 5]) await files.writeMeta(metaOf({ term }))
  const history = join(directory, 'history')
  const newest = (await readdir(history)).toSorted().at(-1) ?? ''
  await writeFile(join(history, newest), 'torn')
  await writeFile(place(), 'torn')
  expect((await started().readMeta()).meta?.term).toBe(4)
})

test('a version that never came to its place is not in the history either', async () => {
  const files = started()
  await files.writeMeta(metaOf({ term: 4 }))
  await rm(place())
  await mkdir(place())
  await expect(files.writeMeta(metaOf({ term: 5 }))).rejects.toThrow(/it is a directory/)
  expect((await started().readMeta()).meta?.term).toBe(4)
})

test('what the laptop wrote becomes the newest version as soon as it is read', async () => {
  await started().writeMeta(metaOf({ term: 4 }))
  await writeFile(place(), serialiseHostMeta(metaOf({ term: 3 })))
  await started().readMeta()
  await writeFile(place(), '')
  expect((await started().readMeta()).meta?.term).toBe(3)
})

test('ten versions are kept', async () => {
  const files = started()
  for (let term = 2; term < 16; term += 1) await files.writeMeta(metaOf({ term }))
  expect(await readdir(join(directory, 'history'))).toHaveLength(10)
  await rm(place())
  expect((await started().readMeta()).meta?.term).toBe(15)
})

test('what can not be read again is never written', async () => {
  const files = started()
  await files.writeMeta(metaOf())
  await expect(files.writeMeta(metaOf({ term: 1.5 }))).rejects.toThrow(/term/)
  await expect(files.writeMeta(metaOf({ site: 'other' }))).rejects.toThrow(/site other/)
  expect((await files.readMeta()).meta).toEqual(metaOf())
})

test('the times of the last changes are known after a restart; torn ones are none', async () => {
  const files = started()
  expect(await files.readChanges()).toEqual([])
  await files.writeChanges([1, 2, 3])
  expect(await started().readChanges()).toEqual([1, 2, 3])
  for (const content of ['', '{"format":1,"changes":[1,', '{"format":1,"changes":["x"]}', '[]']) {
    await writeFile(join(directory, 'changes.json'), content)
    expect(await started().readChanges()).toEqual([])
  }
  expect(faults).toHaveLength(4)
})

test('a follower that is no copy is known after a restart (A7); a torn file names none', async () => {
  const files = started()
  expect(await files.readDiffers()).toBeNull()
  await files.writeDiffers('h2_1_1')
  expect(await started().readDiffers()).toBe('h2_1_1')
  for (const content of ['', '{"format":1,"slot":"h2', '{"format":1,"slot":7}', '[]']) {
    await writeFile(join(directory, 'differs.json'), content)
    expect(await started().readDiffers()).toBeNull()
  }
  expect(faults).toHaveLength(4)
})

test('a proof is read again; without one there is none', async () => {
  const files = started()
  expect(await files.readProof()).toEqual({ term: 0, voided: 0 })
  await files.writeProof({ term: 5, voided: 3 })
  expect(await started().readProof()).toEqual({ term: 5, voided: 3 })
  expect(faults).toEqual([])
})

test('the proof of the first pairing, as a laptop writes it, counts', async () => {
  await writeFile(join(directory, 'promotable.json'), '{"format":1,"term":2}')
  expect(await started().readProof()).toEqual({ term: 2, voided: 0 })
})

test.each(
  ['', '{"format":1,"te', '[]', '{"format":2,"term":5,"voided":0}', '{"format":1}'].concat([
    '{"format":1,"term":-5}',
    '{"format":1,"term":5.5}',
    '{"format":1,"term":1e300}',
    '{"format":1,"term":"5"}',
    '{"format":1,"term":5,"by":"me"}',
  ]),
)('a promotable.json that holds %j counts as no proof', async (content) => {
  await writeFile(join(directory, 'promotable.json'), content)
  const files = started()
  expect(await files.readProof()).toEqual({ term: 0, voided: 0 })
  await files.readProof()
  expect(faults).toHaveLength(1)
  expect(faults[0]?.message).toMatch(/^counts as no proof: /)
})

test('a pause is there after a restart, until it is taken away', async () => {
  const files = started()
  expect([await files.isPaused(), await files.isInitialised()]).toEqual([false, false])
  await files.pause.begin(60_000)
  expect(await started().isPaused()).toBe(true)
  await files.pause.remove()
  expect(await started().isPaused()).toBe(false)
})

test('a sentinel of any kind counts, and one that can not be looked at leaves all as it was', async () => {
  await mkdir(join(directory, '.two-node-pause'))
  await writeFile(join(directory, '.two-node-initialized'), 'rubbish')
  const files = started()
  expect([await files.isPaused(), await files.isInitialised()]).toEqual([true, true])
  await rm(directory, { recursive: true })
  await symlink(directory, directory)
  expect([await files.isPaused(), await files.isInitialised()]).toEqual([true, true])
  expect(faults).toHaveLength(2)
})

test('a full disk at the moment of a change leaves all as it was, with nothing half', async () => {
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory])
  try {
    const files = started()
    await files.writeMeta(metaOf({ term: 4 }))
    await files.writeProof({ term: 4, voided: 0 })
    const before = await readdir(join(directory, 'history'))
    await writeFile(join(directory, 'filler'), Buffer.alloc(60_000)).catch(() => {})
    await appendFile(join(directory, 'filler'), Buffer.alloc(8_000)).catch(() => {})
    await expect(files.writeMeta(metaOf({ term: 5 }))).rejects.toThrow(/no space left/)
    await expect(files.writeProof({ term: 0, voided: 4 })).rejects.toThrow(/no space left/)
    expect((await files.readMeta()).meta?.term).toBe(4)
    expect(await started().readProof()).toEqual({ term: 4, voided: 0 })
    expect((await readdir(directory)).filter((name) => name.startsWith('.twonode-'))).toEqual([])
    await rm(join(directory, 'filler'))
    expect(await readdir(join(directory, 'history'))).toEqual(before)
    await files.writeMeta(metaOf({ term: 5 }))
    expect((await started().readMeta()).meta?.term).toBe(5)
    expect(faults).toEqual([])
  } finally {
    await run('umount', [directory])
  }
})

test("kine's permit is of this host's role, or it is none (B9)", async () => {
  const permit = join(directory, 'kine.permit')
  const files = openStateFiles({ directory, site: 'lab', note: () => {}, moment, permit })
  const meta = metaOf({ branch: 3, leader: 'h2' })
  expect(await files.isPermitted(meta), 'there is none').toBe(false)
  await writeFile(permit, 'branch: 3\nleader: "h2"\n')
  expect(await files.isPermitted(meta)).toBe(true)
  expect(await files.isPermitted(metaOf({ branch: 4, leader: 'h2' }))).toBe(false)
  expect(await files.isPermitted(metaOf({ branch: 3, leader: 'h1' }))).toBe(false)
  await writeFile(permit, '')
  expect(await files.isPermitted(meta), 'it is torn').toBe(false)
  await writeFile(`${permit}.new`, 'branch: 3\nleader: "h2"\n')
  await rename(`${permit}.new`, permit)
  expect(await files.isPermitted(meta), 'it is another file').toBe(true)
  await rm(permit)
  expect(await files.isPermitted(meta), 'it is gone').toBe(false)
})
