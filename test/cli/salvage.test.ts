import { expect, test } from 'vitest'
import { FILES, SECRETS } from './support/fixtures.ts'
import { talkingHosts } from './support/talking_hosts.ts'
import { runCommandLine } from './support/test_world.ts'

const WORLD = { files: FILES, env: SECRETS }

test('both hosts list what was saved of their branches', async () => {
  const { open, asked } = talkingHosts((host) => [{ text: `1_16402  of ${host}`, name: '1_16402' }])
  const { exit, out } = await runCommandLine('salvage list -i inventory.yaml', { ...WORLD, open })
  expect([exit, out]).toEqual([0, 'h1  1_16402  of h1\nh2  1_16402  of h2\n'])
  expect(asked).toEqual(['h1: salvage list', 'h2: salvage list'])
  const json = await runCommandLine('salvage -i inventory.yaml --json', { ...WORLD, open })
  expect(json.out).toBe('{"host":"h1","name":"1_16402"}\n{"host":"h2","name":"1_16402"}\n')
})

test('a branch is shown and compared by the host that lost it, each line under its name', async () => {
  const { open, asked } = talkingHosts(() => [{ text: 'Deployment default/web\n  replicas' }])
  const line = 'salvage diff 5 -i inventory.yaml --host h2'
  const { exit, out } = await runCommandLine(line, { ...WORLD, open })
  expect([exit, out]).toEqual([0, 'h2  Deployment default/web\nh2    replicas\n'])
  expect(asked).toEqual(['h2: salvage diff 5'])
})

test("a host's refusal is told in its own words", async () => {
  const { open } = talkingHosts(() => 'E_SALVAGE: there is no salvage 7 on this host\n')
  const line = 'salvage show 7 -i inventory.yaml --host h1'
  const { exit, err } = await runCommandLine(line, { ...WORLD, open })
  expect(err).toContain('h1  error E_SALVAGE: there is no salvage 7 on this host')
  expect(exit).toBe(5)
})

test('an answer that was cut short is told as such', async () => {
  const { open } = talkingHosts(() => ({ torn: '{"text":"one"}\n{"text":"tw' }))
  const line = 'salvage diff 7 -i inventory.yaml --host h1'
  const { exit, out, err } = await runCommandLine(line, { ...WORLD, open })
  expect([exit, out]).toEqual([3, 'h1  one\n'])
  expect(err).toContain('there is more than is brought to a laptop')
})

test.each([
  ['replay 5 --host h1', 'salvage replay is not done from a laptop'],
  ['discard 5 --host h1', 'salvage discard is not done from a laptop'],
  ['diff 5', 'salvage diff is asked of one host'],
  ['show --host h1', 'salvage show takes one branch'],
  ['show ../etc --host h1', 'salvage show takes one branch'],
  ['list 5', 'salvage list takes no branch'],
  ['diff 5 --host h9', 'error E_USAGE: --host: there is no host h9'],
])('`salvage %s` is refused before anybody is asked', async (words, message) => {
  const { exit, err } = await runCommandLine(`salvage ${words} -i inventory.yaml`, WORLD)
  expect([exit, err]).toEqual([2, expect.stringContaining(message)])
})
