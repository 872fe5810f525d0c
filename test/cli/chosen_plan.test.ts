import { expect, test } from 'vitest'
import { FILES, PLAYBOOK, SECRETS } from './support/fixtures.ts'
import { runCommandLine } from './support/test_world.ts'

const TAGGED = `${PLAYBOOK.replace('tags: [motd]', 'tags: [motd]\n      notify: Told')}  handlers:
    - { name: Told, command: { argv: [wall, new] } }
    - { name: Reread, command: { argv: [reread] } }
- name: Untagged
  hosts: all
  tasks: [{ name: A folder, directory: { path: /x }, notify: Reread }]
`

test.each(['plan site.yaml', 'converge site.yaml --list-tasks', 'plan site.yaml --json'])(
  '%s with --tags names only what would run',
  async (line) => {
    const { exit, out } = await runCommandLine(`${line} -i inventory.yaml -t motd`, {
      env: SECRETS,
      files: { ...FILES, 'site.yaml': TAGGED },
    })
    expect(exit).toBe(0)
    for (const name of ['The message of the day is ours', 'Told']) expect(out).toContain(name)
    for (const name of ['The token is there', 'Reread', 'Untagged']) expect(out).not.toContain(name)
  },
)

test.each([
  ['plan site.yaml', false],
  ['plan site.yaml -t seldom', true],
])('%s names a task that is tagged never: %s', async (line, isNamed) => {
  const site = `${PLAYBOOK}    - { name: Seldom, directory: { path: /s }, tags: [never, seldom] }\n`
  const { exit, out } = await runCommandLine(`${line} -i inventory.yaml`, {
    env: SECRETS,
    files: { ...FILES, 'site.yaml': site },
  })
  expect(exit).toBe(0)
  expect(out.includes('Seldom')).toBe(isNamed)
})

test('--tags hides no warning about the rest of the playbook, and invents none', async () => {
  const { err } = await runCommandLine('plan site.yaml -i inventory.yaml -t motd', {
    env: SECRETS,
    files: { ...FILES, 'site.yaml': TAGGED },
  })
  expect(err).not.toContain('no task notifies')
})
