import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCommandLine } from './support/test_world.ts'

test.each([
  ['witness watch', 'twonode witness does not know watch'],
  ['witness init', 'needs a DIRECTORY'],
  ['witness serve', 'needs --listen'],
  ['witness serve --listen 8623', '8623 is no ADDRESS:PORT'],
  ['witness serve --listen 127.0.0.1:8623', 'needs --directory'],
])('%s is refused with exit 2', async (line, message) => {
  const { exit, out, err } = await runCommandLine(line)
  expect(err).toContain(message)
  expect(out).toBe('')
  expect(exit).toBe(2)
})

test('witness init makes a folder one that claims are kept in, and does it again', async () => {
  const folder = await mkdtemp('/tmp/twonode-share-')
  const share = join(folder, 'claims')
  for (const _ of [1, 2]) {
    const { exit, out } = await runCommandLine(`witness init ${share}`)
    expect(out).toContain('keeps claims from now on')
    expect(exit).toBe(0)
  }
  expect(await readdir(share)).toEqual(['.twonode-witness'])
  await rm(folder, { recursive: true })
})
