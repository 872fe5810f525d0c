import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { MODULES } from '../../modules/index.ts'
import { ERRORS } from '../../src/core/errors.ts'
import { HOST_COMMANDS } from '../../src/core/host_commands.ts'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

test('every module, error and command has its place in the reference', async () => {
  const { exit, out, world } = await runCommandLine('docs --write docs')
  expect(exit).toBe(0)
  const page = (path: string) => world.written.get(`${world.cwd}/docs/${path}`) ?? ''
  for (const { name, doc } of MODULES) {
    expect(page(`modules/${name}.md`)).toContain(doc.summary)
    expect(page('modules/index.md')).toContain(`[${name}](${name}.md)`)
  }
  for (const { name, options } of HOST_COMMANDS) {
    const text = page('host.md').split(`## twonode ${name}\n`)[1]?.split('\n## ')[0] ?? ''
    for (const { flags } of options) expect(text).toContain(`\`${flags}\``)
    expect(text).toContain('Exit codes: 0 (')
  }
  for (const code of Object.keys(ERRORS)) expect(page('errors.md')).toContain(`\`${code}\``)
  expect(page('inventory.md')).toContain('`hosts[].ssh.identityFile`')
  expect(page('playbook.md')).toContain('`register`')
  expect(page('events.md')).toContain('## host-summary')
  expect(page('fsm.md')).toContain('Follower --> Alone: ')
  expect(out).toBe(`${MODULES.length + 8} pages written below docs\n`)
})

test('what was written is what is checked, to the byte; a page of a module that is gone is named', async () => {
  const { world } = await runCommandLine('docs --write docs')
  const files = Object.fromEntries(world.written)
  expect((await runCommandLine('docs --check docs', { files })).exit).toBe(0)
  const changed = { ...files, 'docs/errors.md': 'old', 'docs/modules/gone.md': '' }
  const { exit, err } = await runCommandLine('docs --check docs', { files: changed })
  expect(exit).toBe(3)
  expect(err).toContain('docs/errors.md is out of date\n')
  expect(err).toContain('docs/modules/gone.md tells of a module that does not exist')
})

test('every argument of every module is described in the reference', async () => {
  const { world } = await runCommandLine('docs --write docs')
  for (const { name } of MODULES) {
    const rows = (world.written.get(`${world.cwd}/docs/modules/${name}.md`) ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    const undescribed = rows.filter((line) => line.endsWith('|  |'))
    expect({ name, undescribed }).toEqual({ name, undescribed: [] })
  }
})

test('docs alone lists the modules; docs NAME is one page', async () => {
  const { out } = await runCommandLine('docs')
  for (const { name } of MODULES) expect(out).toContain(`  ${name} `)
  expect((await runCommandLine('docs file')).out).toMatch(/^# file\n/)
})

test('what is written by hand is a topic too, or it is said where it lies', async () => {
  const files = { [`${dirname(PLAYBOOKS)}/docs/operations.md`]: '# Running a pair\n' }
  expect((await runCommandLine('docs operations', { files })).out).toBe('# Running a pair\n')
  const { exit, err } = await runCommandLine('docs operations')
  expect([exit, err]).toEqual([2, expect.stringContaining('comes with the source of twonode')])
})
