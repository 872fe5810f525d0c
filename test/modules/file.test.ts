import { chmod, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { file } from '../../modules/file.ts'
import { validatorFor } from '../../modules/parts/validators.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { Secret } from '../../src/core/secret.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'
import { moduleLaws } from '../support/module_laws.ts'

moduleCases(file)

const secretArgs = {
  path: 'ROOT/token',
  content: new Secret('planted-secret-1', 'test'),
} as unknown as JsonObject

moduleLaws(file, localWorld, [
  {
    title: 'a file with content',
    args: { path: 'ROOT/motd', content: 'hello\n', mode: '0640' },
    opposite: { path: 'ROOT/motd', state: 'absent' },
  },
  {
    title: 'a link',
    args: { path: 'ROOT/link', state: 'link', target: '/etc/hostname' },
    opposite: { path: 'ROOT/link', state: 'absent' },
  },
  { title: 'an empty file', args: { path: 'ROOT/.paused', state: 'touch' } },
  { title: 'a secret', args: secretArgs, secret: 'planted-secret-1' },
])

moduleLaws(
  file,
  () =>
    localWorld(async (_, root) => {
      await symlink('/etc/hostname', join(root, 'config'))
      return {}
    }),
  [{ title: 'a link in the place of a file', args: { path: 'ROOT/config', content: 'mine\n' } }],
)

moduleLaws(
  file,
  () =>
    localWorld(async (_, root) => {
      await writeFile(join(root, 'config'), 'theirs\n')
      await chmod(join(root, 'config'), 0o777)
      return {}
    }),
  [
    { title: 'other content and mode', args: { path: 'ROOT/config', content: 'mine\n' } },
    { title: 'another mode', args: { path: 'ROOT/config', mode: '0600' } },
    {
      title: 'a link where a file is',
      args: { path: 'ROOT/config', state: 'link', target: 'other' },
    },
  ],
)

test('a secret is refused where it would be seen, and taken as content', () => {
  const validate = validatorFor('file')
  const secret = new Secret('planted-secret-1', 'test')
  expect(validate({ path: '/etc/x', content: secret })).toEqual([])
  expect(validate({ path: secret })).toMatchObject([{ path: ['path'] }])
  expect(validate({ path: { $secret: 's1' } })).toMatchObject([{ path: ['path'] }])
})

test('a mode that is not quoted octal is refused with its form', () => {
  expect(validatorFor('file')({ path: '/etc/x', content: '', mode: '0888' })).toEqual([
    { path: ['mode'], message: "must be a quoted octal mode, such as '0644'", unknownKey: false },
  ])
  expect(validatorFor('file')({ path: '/etc/x', content: '', mode: 644 })).toMatchObject([
    { path: ['mode'], message: 'must be a string' },
  ])
})
