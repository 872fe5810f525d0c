import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { BOOTSTRAP, bootstrapCommand, parseBootstrapLine } from '../../src/remote/bootstrap.ts'

const sha256 = 'a'.repeat(64)
const plain = { root: '/opt/twonode', sha256, runtime: 'bundled', become: 'no' } as const

test('the script holds no single quote: it travels inside a pair of them', () => {
  expect(BOOTSTRAP).not.toContain("'")
})

test.each([['/bin/dash'], ['/bin/bash']])('the script is right by the grammar of %s', (shell) => {
  expect(() => execFileSync(shell, ['-n'], { input: BOOTSTRAP })).not.toThrow()
})

test('becoming root is a word in front, and a password is in none of them', () => {
  expect(bootstrapCommand(plain)).not.toContain('sudo')
  expect(bootstrapCommand({ ...plain, become: 'sudo' })).toContain('sudo -n -- /bin/sh -c')
  expect(bootstrapCommand({ ...plain, become: 'sudo-with-password' })).toContain('sudo -k -S')
})

test.each([
  { root: '/opt/two node' },
  { root: "/opt/'; reboot" },
  { root: 'opt' },
  { root: '/opt/../etc' },
  { root: '/' },
  { sha256: 'abc' },
  { sha256: `${sha256}; reboot` },
])('%j is never put into a command', (over) => {
  expect(() => bootstrapCommand({ ...plain, ...over })).toThrow(RangeError)
})

test.each([
  ['twonode-bootstrap start', { kind: 'start' }],
  ['twonode-bootstrap exec', { kind: 'exec' }],
  [
    'twonode-bootstrap missing=runtime,bundle arch=x86_64',
    { kind: 'missing', pieces: ['runtime', 'bundle'], arch: 'x86_64' },
  ],
  [
    'twonode-bootstrap missing=,bundle arch=aarch64',
    { kind: 'missing', pieces: ['bundle'], arch: 'aarch64' },
  ],
  [
    'twonode-bootstrap error=files mkdir: No space left ',
    { kind: 'error', reason: 'files', text: 'mkdir: No space left ' },
  ],
  ['Welcome to h1', { kind: 'noise' }],
  ['twonode-bootstrap dancing', { kind: 'noise' }],
])('%s is understood', (line, expected) => {
  expect(parseBootstrapLine(line)).toEqual(expected)
})
