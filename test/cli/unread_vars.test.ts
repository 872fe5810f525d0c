import { expect, test } from 'vitest'
import { FILES, idleRunners, SECRETS } from './support/fixtures.ts'
import { runCommandLine } from './support/test_world.ts'

const world = { env: SECRETS, files: { ...FILES, 'more.yaml': 'other: 1\n' } }

test('a variable of the command line that no task reads is warned of before the run', async () => {
  const { open } = idleRunners()
  const line = 'converge site.yaml -i inventory.yaml -e motd=a -e modt=b -e @more.yaml'
  const { exit, out } = await runCommandLine(line, { ...world, open })
  expect(exit).toBe(0)
  expect(out.match(/warning .*/g)).toEqual(['warning -e modt: no task reads vars.modt'])
})

test.each([
  ["when: vars['modt'] == 'b'", 0],
  ['when: \'"modt" in vars\'', 0],
  ["when: vars.modt_else == 'b'", 1],
])('plan knows whether %s reads it', async (line, warnings) => {
  const own = `- hosts: all\n  tasks:\n    - name: t\n      directory: { path: /x }\n      ${line}\n`
  const files = { ...world.files, 'own.yaml': own }
  const { err } = await runCommandLine('plan own.yaml -i inventory.yaml -e modt=b -e modt_else=c', {
    env: SECRETS,
    files,
  })
  expect(err.split('\n').filter((text) => text.includes('-e modt:'))).toHaveLength(warnings)
})
