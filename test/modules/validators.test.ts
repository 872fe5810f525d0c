import { expect, test } from 'vitest'
import { MODULES, registry } from '../../modules/index.ts'
import { validate, validatorFor } from '../../modules/parts/validators.ts'
import { Secret } from '../../src/core/secret.ts'

test.each(MODULES.map((module) => [module.name, module] as const))(
  '%s: its schema compiles, refuses unknown keys, and names its source',
  (name, { schema, doc }) => {
    expect(validate(name, { no_such_argument: 1 })).toContainEqual(
      expect.objectContaining({ path: ['no_such_argument'], unknownKey: true }),
    )
    expect(schema['additionalProperties']).toBe(false)
    expect(doc.source).toMatch(/^https:\/\//)
    expect(doc.examples).not.toEqual([])
  },
)

test('no two modules have one name, and each is snake_case', () => {
  expect(registry.size).toBe(MODULES.length)
  for (const { name } of MODULES) expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
})

test('a key that is nearly right is named', () => {
  expect(validate('file', { path: '/etc/x', contnet: 'a' })).toEqual([
    {
      path: ['contnet'],
      message: "unknown key 'contnet'",
      unknownKey: true,
      hint: "did you mean 'content'?",
    },
  ])
})

test('a key that is like none is answered with all there are', () => {
  expect(validate('site_secret', { name: 'ca', zzzzzzzz: 1 })).toMatchObject([
    { hint: 'known keys: name' },
  ])
})

test('a flag of k3s that is nearly right is named', () => {
  expect(validate('k3s_config', { config: { 'cluster-cird': '10.0.0.0/8' } })).toMatchObject([
    { path: ['config', 'cluster-cird'], unknownKey: true, hint: "did you mean 'cluster-cidr'?" },
  ])
})

test('a value outside those allowed is answered with them', () => {
  expect(validate('systemd_unit', { name: 'a.service', state: 'running' })).toMatchObject([
    { path: ['state'], hint: 'allowed: none, started, stopped, restarted, reloaded' },
  ])
})

test('all problems of a task are told at once', () => {
  const problems = validate('virtual_ip', { address: 'x', prefix: '24', intrface: 'eth0' })
  expect(problems.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
    ": 'interface' is missing",
    "intrface: unknown key 'intrface'",
    'address: must be an IPv4 address',
    'prefix: must be a whole number',
  ])
})

test('defaults are filled in, beside secrets that stay themselves', () => {
  const content = new Secret('planted-secret-1', 'test')
  const args: Record<string, unknown> = { path: '/etc/x', content }
  expect(validatorFor('file')(args)).toEqual([])
  expect(args).toMatchObject({ owner: 'root', group: 'root', state: 'present' })
  expect(args['content']).toBe(content)
})

test('no problem shows a secret', () => {
  const secret = new Secret('planted-secret-1', 'test')
  const problems = validate('command', { argv: [secret], env: { TOKEN: secret }, user: secret })
  expect(problems).toHaveLength(3)
  expect(JSON.stringify(problems)).not.toContain('planted-secret-1')
})
