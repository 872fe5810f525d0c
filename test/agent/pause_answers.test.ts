import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answers, SILENT } from '../support/agent_sightings.ts'
import { ControlBench, META, withRounds } from './support/control_agent.ts'

let bench: ControlBench
beforeEach(() => {
  bench = new ControlBench()
})
afterEach(async () => await bench.close())

const agentOf = async (self: 'h1' | 'h2') => await bench.agentOf(self)
const twonode = async (...words: readonly string[]) => await bench.twonode(...words)

test('a pause says what it holds up here; a resume with a proof that is too old says the way out', async () => {
  const host = await agentOf('h2')
  expect(await twonode('pause')).toContain('this host does not promote itself')
  await host.rounds(1)
  host.disk.paused = true
  await host.rounds(70, SILENT)
  expect(await twonode('status')).toMatch(/way out +`twonode resume` here/)
  host.disk.paused = false
  expect(await withRounds(host, twonode('resume'))).toMatch(
    /^resumed, but the leader is gone, .*\[no-proof\]; the way out: .*`twonode promote --force` here/,
  )
  expect(await twonode('status')).toMatch(/^h2: not whole: .* \[no-proof\]$/m)
  const said = await twonode('timeline')
  expect(said).toMatch(/paused by an operator, for 1h\n[^]*resumed by an operator/)
})

test('a paused leader is told that its follower promotes all the same', async () => {
  const host = await agentOf('h1')
  expect(await twonode('pause')).toContain('run `twonode pause` on h2 too')
  await host.rounds(1, answers({ meta: META, proofTerm: 2, paused: true }))
  expect(await twonode('pause')).toContain('h2 is paused too, and does not promote')
  expect(await twonode('status')).toMatch(/^paused +this host: no, its peer: yes$/m)
})

test('a pause says when it ends, in its answer, in the status and in the timeline', async () => {
  const host = await agentOf('h2')
  expect(await twonode('pause', '--for', '2h')).toMatch(
    /until `twonode resume` here or until .*\d\d:\d\d UTC, 2 h left\n$/,
  )
  host.disk.paused = true
  await host.rounds(1)
  expect(await bench.status()).toMatchObject({ paused: true, pauseLeftMs: 7_199_000 })
  expect(await twonode('status')).toMatch(/^paused +this host: until .* UTC, 2 h left, its peer: /m)
  expect(await twonode('timeline')).toContain('paused by an operator, for 2h')
  writeFileSync(join(bench.folder.path, '.two-node-pause'), '')
  expect(await bench.status()).toMatchObject({ pausedUntil: null, pauseEnds: 'no expiry' })
})

test.each(['0s', '25h', 'long', '-1h'])('a pause for %s is refused in words', async (text) => {
  await agentOf('h2')
  const refused = twonode('pause', '--for', text)
  await expect(refused).rejects.toThrow(/a pause lasts for 1s to 24h|--for takes a word/)
})

test('pause and resume are a file that the next round sees', async () => {
  const host = await agentOf('h2')
  const sentinel = join(bench.folder.path, '.two-node-pause')
  expect(await twonode('pause')).toContain('paused')
  expect(existsSync(sentinel)).toBe(true)
  expect(await withRounds(host, twonode('resume'))).toBe('resumed\n')
  expect(existsSync(sentinel)).toBe(false)
})

test('who resumes has looked: the flap guard counts anew, before it freezes as well', async () => {
  const host = await agentOf('h2')
  host.disk.paused = true
  await host.rounds(1, SILENT)
  await withRounds(host, twonode('promote', '--force'))
  expect(host.disk.changes).toHaveLength(1)
  await withRounds(host, twonode('resume'))
  expect(host.disk.changes).toEqual([])
})
