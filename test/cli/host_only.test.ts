import { expect, test } from 'vitest'
import { FILES, SECRETS } from './support/fixtures.ts'
import { runCommandLine } from './support/test_world.ts'

const world = { files: FILES, env: SECRETS }

test.each([
  [
    'promote --force',
    'error E_USAGE: `twonode promote` runs on a host, as root\n  `ssh HOST sudo twonode promote`. docs/host.md has its options.\n',
  ],
  [
    'leave -i inventory.yaml',
    '  h1: `ssh root@10.0.0.11 twonode leave`, h2: `ssh -t ops@10.0.0.12 sudo twonode leave`. ',
  ],
  ['token create -i nothing.yaml', '  `ssh HOST sudo twonode token`. '],
])('%s is sent to the host that does it', async (line, message) => {
  const { exit, out, err } = await runCommandLine(line, world)
  expect(err).toContain(message)
  expect([exit, out]).toEqual([2, ''])
})

test.each([
  ['converge', 'converge'],
  ['plan -i inventory.yaml --chek', 'plan'],
  ['witness serve', 'witness'],
])('a mistake in `%s` sends to the help of that command', async (line, name) => {
  const { exit, err } = await runCommandLine(line, world)
  expect([exit, err]).toEqual([2, expect.stringContaining(`  See \`twonode ${name} --help\`.\n`)])
})
