import { mkdtemp, rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ClaimStore } from '../../src/witness/claim_store.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp('/tmp/twonode-store-')
})

afterEach(async () => await rm(folder, { recursive: true, force: true }))

test('a claim that is being written is read when it is on the disk with its name, and not before (A4)', async () => {
  const store = new ClaimStore(folder)
  await store.open()
  await store.put('edge', '{"term":5}', { none: true })
  const { etag = '' } = (await store.get('edge')) ?? {}
  const order: string[] = []
  const writing = store.put('edge', '{"term":6}', { tag: etag }).then(() => order.push('written'))
  const reading = store.get('edge').then((kept) => order.push(`read ${kept?.text}`))
  await Promise.all([writing, reading])
  expect(order).toEqual(['written', 'read {"term":6}'])
  await store.close()
})

test('a second server over one folder does not begin while the first one is there: both would take a swap of one claim (A4)', async () => {
  const first = new ClaimStore(folder)
  await first.open()
  const second = new ClaimStore(folder)
  await expect(second.open()).rejects.toThrow('another `twonode witness serve` keeps its claims in')
  await first.close()
  await second.open()
  await second.close()
})
