import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Script } from '../../../src/agent/probes/script.ts'
import { collectFaults } from '../support/faults.ts'

let folder: string
const scripts: Script[] = []

beforeEach(async () => {
  folder = await mkdtemp('/tmp/twonode-script-')
})
afterEach(async () => {
  for (const script of scripts.splice(0)) script.stop()
  await rm(folder, { recursive: true, force: true })
})

async function started(text: string | null, timeoutMs = 5_000, intervalMs = 60_000) {
  const path = join(folder, 'check')
  if (text !== null) await writeFile(path, `#!/bin/bash\n${text}\n`)
  if (text !== null) await chmod(path, 0o755)
  const { faults, told } = collectFaults()
  const script = new Script({ path, intervalMs, timeoutMs, faults })
  scripts.push(script)
  return { script, told }
}

const file = async (name: string) =>
  (await readFile(join(folder, name), 'utf8').catch(() => '')).trim()

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('exit 0 means alive, anything else does not, and that is told', async () => {
  const well = await started('exit 0')
  await expect.poll(() => well.script.last, { timeout: 10_000 }).toBe(true)
  expect(well.told).toEqual([])
  const ill = await started('exit 3')
  await expect.poll(() => ill.script.last, { timeout: 10_000 }).toBe(false)
  expect(ill.told).toEqual([`script: ${join(folder, 'check')}: it ended with 3`])
})

test('a script that hangs is killed with all that it started', async () => {
  const { script, told } = await started(
    `trap '' TERM; sleep 1000 & echo $! > ${folder}/child; echo $$ > ${folder}/self; wait`,
    1_500,
  )
  await expect.poll(async () => await file('self'), { timeout: 10_000 }).not.toBe('')
  const pids = [Number(await file('child')), Number(await file('self'))]
  await expect.poll(() => script.last, { timeout: 10_000 }).toBe(false)
  await expect.poll(() => pids.filter(isAlive), { timeout: 10_000 }).toEqual([])
  expect(told).toEqual([expect.stringMatching(/did not end within 1.5 s and was killed/)])
})

test('a script that forks and leaves takes its children with it', async () => {
  const { script } = await started(`sleep 1000 & echo $! > ${folder}/child; exit 0`)
  await expect.poll(() => script.last, { timeout: 10_000 }).toBe(true)
  const child = Number(await file('child'))
  await expect.poll(() => isAlive(child), { timeout: 10_000 }).toBe(false)
})

test('a script that prints megabytes, and secrets, is read by nobody', async () => {
  const before = process.memoryUsage().rss
  const { script, told } = await started(
    'head -c 200000000 /dev/zero; echo sesame-123456 >&2; exit 1',
  )
  await expect.poll(() => script.last, { timeout: 20_000 }).toBe(false)
  expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000)
  expect(told.join()).not.toContain('sesame')
})

test('runs do not pile up', async () => {
  await started(`echo x >> ${folder}/runs; sleep 1000`, 60_000, 50)
  await expect.poll(async () => await file('runs'), { timeout: 10_000 }).toBe('x')
  const until = Date.now() + 500
  while (Date.now() < until) expect(await file('runs')).toBe('x')
})

test('a script that is not there, or no program, is no answer', async () => {
  const { script, told } = await started(null)
  await expect.poll(() => told.length, { timeout: 5_000 }).toBe(1)
  expect(script.last).toBeNull()
  expect(told[0]).toMatch(/can not be started/)
})
