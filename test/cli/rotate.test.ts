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

const files = { 'inventory.yaml': INVENTORY, [`${PLAYBOOKS}/site.yaml`]: PLAYBOOK }

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
])('%s is refused before a connection is opened', async (command, words) => {
  const { openings, exit, err } = await run(command)
  expect(exit).toBe(2)
  expect(err).toContain(words)
  expect(openings).toEqual([])
})
