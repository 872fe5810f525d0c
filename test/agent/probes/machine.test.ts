import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Disk } from '../../../src/agent/probes/disk.ts'
import { Carrier, parsePressure, readMemoryPressure } from '../../../src/agent/probes/machine.ts'
import { collectFaults } from '../support/faults.ts'

test("the link is that of the card with the host's address", () => {
  expect(new Carrier('127.0.0.1').read()).toBe(true)
  expect(new Carrier('192.0.2.77').read()).toBeNull()
})

test('the share of the last ten seconds that waited for memory', () => {
  const text =
    'some avg10=1.53 avg60=0.40 avg300=0.00 total=1\nfull avg10=0.10 avg60=0 avg300=0 total=1\n'
  expect(parsePressure(text)).toBe(1.53)
  expect(parsePressure('')).toBeNull()
  expect(readMemoryPressure() ?? 0).toBeGreaterThanOrEqual(0)
})

test('a disk with room takes a small file, and nothing of it stays', async () => {
  const folder = await mkdtemp('/tmp/twonode-disk-')
  const { faults, told } = collectFaults()
  const disk = new Disk({ tried: [folder, join(folder, 'none')], measured: ['/proc/none'] }, faults)
  const { writable, freeBytes } = await disk.look()
  expect([writable, freeBytes > 0]).toEqual([true, true])
  await expect.poll(async () => await readdir(folder), { timeout: 10_000 }).toEqual([])
  expect(told).toEqual([])
  await rm(folder, { recursive: true })
})

test('a folder that takes no file is told once, and again well when it takes one', async () => {
  const folder = await mkdtemp('/tmp/twonode-disk-')
  const blocked = join(folder, '.twonode-write-probe')
  await mkdir(blocked)
  await writeFile(join(blocked, 'x'), '')
  const { faults, told } = collectFaults()
  let now = 0
  const disk = new Disk({ tried: [folder], measured: [] }, faults, () => now)
  await disk.look()
  await expect.poll(async () => (await disk.look()).writable, { timeout: 10_000 }).toBe(false)
  expect(told).toEqual([expect.stringMatching(/^disk: no small file can be written: /)])
  await rm(blocked, { recursive: true })
  expect((await disk.look()).writable).toBe(false)
  now += 10_000
  await disk.look()
  await expect.poll(async () => (await disk.look()).writable, { timeout: 10_000 }).toBe(true)
  await rm(folder, { recursive: true })
})
