import { expect, test } from 'vitest'
import { readHostCommand } from '../../src/agent/host_program.ts'
import { HOST_COMMANDS } from '../../src/core/host_commands.ts'
import { typedOf } from './support/control_agent.ts'

function helpOf(...argv: readonly string[]): string {
  const typed = readHostCommand(argv)
  if (typed.kind !== 'help') throw new Error(`${typed.name} would be done`)
  return typed.text
}

test.each([[[]], [['--help']], [['-h']], [['help']]])('%j lists every command', (argv) => {
  const text = helpOf(...argv)
  for (const { name } of HOST_COMMANDS) expect(text).toContain(`\n  ${name} `)
})

test.each(HOST_COMMANDS.map((one) => [one.name, one] as const))(
  '%s --help names every option and shows an example, whatever else is typed',
  (name, { options, examples }) => {
    for (const text of [helpOf(name, '--help'), helpOf(name, '-h')]) {
      for (const { flags } of options) expect(text).toContain(`  ${flags}`)
      for (const line of examples) expect(text).toContain(`  ${line}`)
    }
  },
)

test.each(HOST_COMMANDS.flatMap(({ name, examples }) => examples.map((line) => [name, line])))(
  'an example of %s is one: %s',
  (name = '', line = '') => {
    const [, ...words] = line.replace(/ < .*/, '').split(' ')
    expect(typedOf(words).name).toBe(name)
  },
)

test('what was typed has its long names; what was not typed is not there', () => {
  expect(typedOf(['switchover', '-C', '--no-wait', '--to', 'h2'])).toEqual({
    kind: 'command',
    name: 'switchover',
    words: [],
    options: { check: true, 'no-wait': true, to: 'h2' },
    json: false,
  })
  expect(typedOf(['switchover', '--json'])).toMatchObject({ options: {}, json: true })
  const replay = ['salvage', 'replay', '5', '--object', 'Pod a/b', '--object', 'Pod a/c', '-y']
  expect(typedOf(replay)).toMatchObject({
    words: ['replay', '5'],
    options: { object: ['Pod a/b', 'Pod a/c'], yes: true },
  })
})

test.each([
  [['nope'], 'there is no command nope on a host', 'everything else is run from a laptop'],
  [['promote', '--forse'], "promote: unknown option '--forse'", '(Did you mean --force?)'],
  [['promote', '--forse'], 'promote', 'See `twonode promote --help`.'],
  [['promote', 'h2'], 'promote: too many arguments', 'See `twonode promote --help`.'],
  [['pause', '--for'], "option '--for <duration>' argument missing", 'twonode pause --help'],
  [['switchover', '--to', '--check'], "argument '--check' is invalid", 'switchover --help'],
  [['replace', '--for', 'h2'], "required option '--host <name>'", 'twonode replace --help'],
  [['token'], "missing required argument 'action'", 'twonode token --help'],
])('%j is refused, and where to read on is said', (argv, message, hint) => {
  expect(() => readHostCommand(argv)).toThrow(
    expect.objectContaining({
      code: 'E_USAGE',
      exitCode: 2,
      message: expect.stringContaining(message) as string,
      hint: expect.stringContaining(hint) as string,
    }),
  )
})
