import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openHeartbeat } from '../../src/agent/heartbeat.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twonode-beat-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('B9: an agent that starts reads when the one before it was last alive, and leaves that until its own first beat', () => {
  const file = join(folder, 'run/agent.alive')
  const first = openHeartbeat(() => 123_456, file)
  expect(first.lastBeatAt).toBeNull()
  first.beat()
  const next = openHeartbeat(() => 130_000, file)
  expect(next.lastBeatAt).toBe(123_460)
  expect(readFileSync(file, 'latin1')).toBe('00000012346\n')
  next.beat()
  expect(readFileSync(file, 'latin1')).toBe('00000013000\n')
})

test.each(['', '12346\n', 'x0000012346\n'])('B9: %j is no beat', (text) => {
  const file = join(folder, 'agent.alive')
  writeFileSync(file, text)
  expect(openHeartbeat(() => 0, file).lastBeatAt).toBeNull()
})
