import { expect, test } from 'vitest'
import type { Event } from '../../src/core/events.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import type { ReadySite } from '../../src/cli/compile_sites.ts'
import type { OpenSession } from '../../src/cli/runner_session.ts'
import { guardedWorld } from '../../src/cli/run_sites.ts'
import { idleRunners, INVENTORY, SECRETS } from './support/fixtures.ts'
import { runCommandLine, testWorld } from './support/test_world.ts'

const BINARY = `- hosts: all
  tasks:
    - { name: kine is installed, artifact: { path: /usr/local/bin/kine, source: { path: ~/bin/kine } } }
`

test('a blob is sent from where its path points, `~/` and all', async () => {
  const idle = idleRunners()
  const sent: string[] = []
  const open: OpenSession = async (request, listener) => {
    const session = await idle.open(request, listener)
    const { opening } = request
    if (opening.type === 'plan')
      for (const sha256 of Object.keys(opening.blobs))
        queueMicrotask(() => listener.onMessage({ type: 'need-blob', sha256 }))
    return { ...session, sendBlob: (_, { path }) => void sent.push(path) }
  }
  const files = {
    'inventory.yaml': INVENTORY,
    'own.yaml': BINARY,
    '/home/ana/bin/kine': 'a binary',
  }
  const { exit, err } = await runCommandLine('converge own.yaml -i inventory.yaml', {
    files,
    env: SECRETS,
    open,
  })
  expect(err).toBe('')
  expect(exit).toBe(0)
  expect(sent).toEqual(['/home/ana/bin/kine', '/home/ana/bin/kine'])
})

/** What a guarded world prints of this, where the secrets are these. */
function guardedText(text: string, ...secrets: readonly string[]): string {
  const world = testWorld()
  const tainted = new Map(secrets.map((value, n) => [String(n), new Secret(value, `env:S${n}`)]))
  const site = { compiled: { secrets: tainted }, sudoPasswords: new Map() }
  guardedWorld(world, [site as unknown as ReadySite]).stdout.write(text)
  expect(reveal(tainted.get('0') ?? '')).toBe(secrets[0])
  return world.out()
}

test('a secret is taken out of the texts of a JSON line, and the line stays the event that it was', () => {
  const event: Event = {
    event: 'note',
    host: 'h1',
    level: 'warning',
    message: 'the warning is "message": planted-token',
  }
  // All of these stand in the line, outside its texts too.
  const line = guardedText(`${JSON.stringify(event)}\n`, 'warning', '"message":', 'planted-token')
  expect(JSON.parse(line)).toEqual({
    ...event,
    message: 'the ******** is ******** ********',
  })
  expect(line.endsWith('\n')).toBe(true)
})

test('text that only looks like JSON is redacted as text', () => {
  expect(guardedText('{ planted-token\n', 'planted-token')).toBe('{ ********\n')
  expect(guardedText('h1 says planted-token', 'planted-token')).toBe('h1 says ********')
})
