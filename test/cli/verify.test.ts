import { expect, test } from 'vitest'
import type { ToRunner } from '../../src/core/protocol.ts'
import type { OpenSession } from '../../src/cli/runner_session.ts'
import { idleRunners, INVENTORY, SECRETS } from './support/fixtures.ts'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

const ASSERTION = `- hosts: all
  tasks:
    - name: kine answers
      assert: { command: [systemctl, is-active, kine.service], that: [code == 0] }
      register: kine
`

/** What the runners are asked to do. */
async function optionsOf(command: string): Promise<readonly object[]> {
  const openings: ToRunner[] = []
  const open: OpenSession = async (request, listener) => {
    openings.push(request.opening)
    return await idleRunners(() => []).open(request, listener)
  }
  const files = {
    'inventory.yaml': INVENTORY,
    [`${PLAYBOOKS}/status.yaml`]: ASSERTION,
    [`${PLAYBOOKS}/verify.yaml`]: ASSERTION,
  }
  await runCommandLine(`${command} -i inventory.yaml`, { env: SECRETS, files, open })
  return openings.flatMap((opening) => (opening.type === 'plan' ? [opening.options] : []))
}

test('verify hashes binaries for real, whatever the hosts remember of them', async () => {
  const [h1, h2] = await optionsOf('verify')
  expect(h1).toMatchObject({ check: true, rehash: true })
  expect(h2).toMatchObject({ check: true, rehash: true })
})

test('status believes what the hosts remember', async () => {
  expect(await optionsOf('status')).not.toHaveLength(0)
  for (const options of await optionsOf('status')) expect(options).not.toHaveProperty('rehash')
})
