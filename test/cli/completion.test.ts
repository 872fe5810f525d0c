import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/command_table.ts'
import { runCommandLine } from './support/test_world.ts'

/** Asks bash what it would offer for a line. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { out } = await runCommandLine('completion bash')
  const ask = `
COMP_WORDS=(twonode ${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length}
_twonode
printf '%s\\n' "\${COMPREPLY[@]}"
`
  const text = execFileSync('bash', ['--norc'], {
    input: out + ask,
    encoding: 'utf8',
    timeout: 10_000,
  })
  return text.trim().split('\n')
}

test('bash completes commands, options and modules', async () => {
  expect(await offered('con')).toEqual(['converge'])
  expect(await offered('converge', '--acc')).toEqual(['--accept-new-host-keys'])
  expect(await offered('run', 'postgres_pub')).toEqual(['postgres_publication'])
  expect(await offered('completion', 'z')).toEqual(['zsh'])
})

test.each(['bash', 'zsh', 'fish'])('%s knows every command and its options', async (shell) => {
  const { exit, out } = await runCommandLine(`completion ${shell}`)
  expect(exit).toBe(0)
  for (const { name } of COMMANDS) expect(out).toContain(name)
  expect(out).toContain('allow-downgrade')
})
