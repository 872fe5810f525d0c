import { expect, test } from 'vitest'
import type { OpenSession } from '../../src/cli/runner_session.ts'
import type { ToRunner } from '../../src/core/protocol.ts'
import { idleRunners, INVENTORY, SECRETS } from './support/fixtures.ts'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

const PLAYBOOK = `- hosts: all
  vars: { certificatesIssuedAfter: '' }
  tasks:
    - name: The agent has a certificate
      certificate:
        path: /etc/agent.crt
        key: /etc/agent.key
        common_name: '{{ host.name }}'
        usages: [server]
        issued_after: '{{ vars.certificatesIssuedAfter }}'
      tags: [certificates]
    - name: And something else
      directory: { path: /etc/other }
`

const files = {
  'inventory.yaml': INVENTORY,
  'token.txt': 'server:not-a-token-0123\n',
  [`${PLAYBOOKS}/site.yaml`]: PLAYBOOK,
}

async function run(command: string) {
  const openings: ToRunner[] = []
  const open: OpenSession = async (request, listener) => {
    openings.push(request.opening)
    return await idleRunners(() => []).open(request, listener)
  }
  const ran = await runCommandLine(`${command} -i inventory.yaml`, { env: SECRETS, files, open })
  return { ...ran, openings }
}

test('rotate asks both hosts for certificates that are younger than the command, and for nothing else', async () => {
  const { openings } = await run('rotate certificates')
  expect(openings).toHaveLength(2)
  for (const opening of openings) {
    expect(opening).toMatchObject({ type: 'plan', options: { tags: ['certificates'] } })
    expect(JSON.stringify(opening)).toContain('"certificatesIssuedAfter":"1970-01-01T00:00:00Z"')
  }
})

test('one that was cut goes on with the time that it told', async () => {
  const { openings } = await run('rotate certificates --since 2026-11-22T16:30:00.500Z')
  expect(JSON.stringify(openings)).toContain('"certificatesIssuedAfter":"2026-11-22T16:30:00Z"')
})

test.each([
  ['rotate keys', 'nothing is known of how keys are rotated'],
  ['rotate certificates --since yesterday', '--since yesterday is no time'],
  ['rotate token --since yesterday', '--since is for `twonode rotate certificates` alone'],
  [
    'rotate certificates --token-file token.txt',
    '--token-file is for `twonode rotate token` alone',
  ],
  ['rotate token --token-file token.txt', 'a token is 16 to 256 letters, digits, _ and -'],
  ['rotate token --token-file none.txt', 'there is no file none.txt'],
  ['rotate token --limit h7', '--limit: there is no host h7'],
])('%s is refused before a connection is opened', async (command, words) => {
  const { openings, exit, err } = await run(command)
  expect(exit).toBe(2)
  expect(err).toContain(words)
  expect(err).not.toContain('not-a-token')
  expect(openings).toEqual([])
})

test('34: a token is looked at on both hosts before anything is done, and is nowhere but in what is sent to them', async () => {
  const ran = await run('rotate token')
  expect(ran.openings.length).toBeGreaterThan(0)
  const plans = ran.openings.filter((opening) => opening.type === 'plan')
  const values = plans.flatMap(({ secrets }) => Object.values(secrets).map(({ value }) => value))
  const token = values.find((value) => /^[0-9a-f]{64}$/.test(value))
  expect(token).toBeDefined()
  for (const { plan, options } of plans) {
    expect(options.check).toBe(true)
    expect(JSON.stringify(plan)).not.toContain(token)
  }
  expect(`${ran.out}${ran.err}`).not.toContain(token)
})
