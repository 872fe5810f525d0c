import { expect, test } from 'vitest'
import {
  EXAMPLE_PLAYBOOK,
  EXAMPLE_TEMPLATE,
  REGISTERED_FIELDS,
} from '../../src/cli/playbook_example.ts'
import { registeredLoop, registeredOf, SKIPPED } from '../../src/engine/registers.ts'
import { registry } from '../../modules/index.ts'
import { INVENTORY, SECRETS } from './support/fixtures.ts'
import { runCommandLine } from './support/test_world.ts'

test('the playbook of the reference compiles without a warning', async () => {
  const { exit, out, err } = await runCommandLine('plan own.yaml -i inventory.yaml', {
    env: SECRETS,
    files: {
      'inventory.yaml': INVENTORY,
      'own.yaml': EXAMPLE_PLAYBOOK,
      'motd.hbs': EXAMPLE_TEMPLATE,
    },
  })
  expect(err).toBe('')
  expect(exit).toBe(0)
  expect(out).toContain('Big hosts say so')
})

test('the reference names every field that a command or a loop registers', () => {
  const command = registry.get('command')
  if (command === undefined) throw new Error('there is no module command')
  const words = { code: 0, stdout: '', stderr: '' }
  const seen = { state: { kind: 'needed' }, args: {} }
  const result = registeredOf(command, seen, { changed: true, skipped: false, outcome: words })
  const all = [result, SKIPPED, registeredLoop([result])].flatMap((one) => Object.keys(one))
  expect(Object.keys(REGISTERED_FIELDS)).toEqual(expect.arrayContaining(all))
})
