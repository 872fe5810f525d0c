import { expect, test } from 'vitest'
import { FILES, SECRETS } from './support/fixtures.ts'
import { talkingHosts } from './support/talking_hosts.ts'
import { runCommandLine } from './support/test_world.ts'

const WORLD = { files: FILES, env: SECRETS }

test('both hosts are paused by one command, and each says until when', async () => {
  const { open, asked } = talkingHosts((host) => [{ message: `paused: ${host}` }])
  const line = 'pause -i inventory.yaml --for 2h'
  const { exit, out } = await runCommandLine(line, { ...WORLD, open })
  expect([exit, out]).toEqual([0, 'h1  paused: h1\nh2  paused: h2\n'])
  expect(asked).toEqual(['h1: pause --for 2h', 'h2: pause --for 2h'])
})

test('--json is one object a host', async () => {
  const { open } = talkingHosts(() => [{ message: 'resumed' }])
  const { out } = await runCommandLine('resume -i inventory.yaml --json', { ...WORLD, open })
  expect(out).toBe('{"host":"h1","message":"resumed"}\n{"host":"h2","message":"resumed"}\n')
})

test("an agent's refusal is told in its own words", async () => {
  const { open } = talkingHosts(() => 'E_USAGE: a pause lasts for 1s to 24h\n  Shorter.\n')
  const line = 'pause -i inventory.yaml --for 24h'
  const { exit, err } = await runCommandLine(line, { ...WORLD, open })
  expect(err).toContain('h1  error E_USAGE: a pause lasts for 1s to 24h\n  Shorter.\n')
  expect(exit).toBe(2)
})

test.each([
  ['ever', '--for ever is no duration'],
  ['48h', '--for 48h: a pause lasts for 1s to 24h'],
  ['500ms', '--for 500ms: a pause lasts for 1s to 24h'],
])('--for %s is refused before anybody is asked', async (duration, words) => {
  const line = `pause -i inventory.yaml --for ${duration}`
  const { exit, err } = await runCommandLine(line, WORLD)
  expect([exit, err]).toEqual([2, expect.stringContaining(words)])
})
