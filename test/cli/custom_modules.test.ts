import { describe, expect, test } from 'vitest'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'
import { withCustomModules } from '../../src/plan/custom_modules.ts'
import { idleRunners, INVENTORY, SECRETS } from './support/fixtures.ts'
import { runCommandLine } from './support/test_world.ts'

const GREETING = `import { defineModule, NotYet, literal } from 'twonode'
export default defineModule({
  name: 'greeting',
  doc: { summary: 'Says hello.', source: 'https://example.org', examples: [] },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['to'],
    properties: {
      to: { type: 'string', description: 'Whom.' },
      loud: { type: 'boolean', default: false, description: 'With a bang.' },
    },
  },
  key: ({ to }) => ['greeting:' + to],
  async observe(host, { to }) {
    if (to === 'nobody') throw new NotYet(literal("nobody's there"))
    return await host.readFile('/etc/greeting')
  },
  diff: (text, { to, loud }) => (text === to ? [] : [{ kind: 'exec', argv: ['greet', to, String(loud)], timeoutMs: 1000 }]),
})
`
const PLAYBOOK = `- hosts: all
  tasks:
    - name: Greet
      greeting: { to: world }
`
const files = {
  'inventory.yaml': INVENTORY,
  'own.yaml': PLAYBOOK,
  'modules/greeting.mjs': GREETING,
}
const world = { files, env: SECRETS }

async function loaded() {
  const { open, requests } = idleRunners()
  const { exit } = await runCommandLine('converge own.yaml -i inventory.yaml', { ...world, open })
  expect(exit).toBe(0)
  const opening = requests[0]?.opening
  const custom = opening?.type === 'plan' ? opening.plan.customModules : []
  return await withCustomModules({ registry, validate }, custom)
}

describe('a module beside the playbook', () => {
  test('travels with the plan and works on the other side', async () => {
    const modules = await loaded()
    const greeting = modules.registry.get('greeting')
    expect(greeting?.diff('hello', { to: 'world', loud: true })).toEqual([
      { kind: 'exec', argv: ['greet', 'world', 'true'], timeoutMs: 1000 },
    ])
    const nobody = greeting?.observe({} as never, { to: 'nobody' })
    await expect(nobody).rejects.toMatchObject({ name: 'NotYet', message: "'nobody''s there'" })
  })

  test('has its arguments judged by its schema, defaults filled in', async () => {
    const { validate: judge } = await loaded()
    const args: Record<string, unknown> = { to: 'world' }
    expect(judge('greeting', args)).toEqual([])
    expect(args).toEqual({ to: 'world', loud: false })
    const [problem] = judge('greeting', { to: 'world', lout: true })
    expect(problem).toMatchObject({ path: ['lout'], unknownKey: true })
    expect(judge('file', { path: '/x', conten: 'y' })).not.toEqual([])
  })

  test.each([
    ['greeting', GREETING.replace("'twonode'", "'node:fs'"), 'it imports node:fs'],
    ['greeting', GREETING.replace("name: 'greeting'", "name: 'other'"), 'its name is "other"'],
    ['greeting', GREETING.replace('diff:', 'dif:'), 'diff is no function'],
    ['greeting', 'export default {', 'Unexpected end of input'],
    ['greeting', 'export const x = 1', 'it has no default export'],
    ['file', GREETING, 'there is a module file already'],
    ['Greeting', GREETING, 'Greeting is no name for a module'],
  ])('is refused before any connection: %s, case %#', async (name, source, why) => {
    const { 'modules/greeting.mjs': _, ...rest } = files
    const { exit, err } = await runCommandLine('plan own.yaml -i inventory.yaml', {
      ...world,
      files: { ...rest, [`modules/${name}.mjs`]: source },
    })
    expect(exit).toBe(2)
    expect(err).toContain(`error E_PLAYBOOK modules/${name}.mjs:1:1: `)
    expect(err).toContain(why)
  })

  test("a wrong argument of it is refused at the playbook's line", async () => {
    const { exit, err } = await runCommandLine('plan own.yaml -i inventory.yaml', {
      ...world,
      files: { ...files, 'own.yaml': PLAYBOOK.replace('to:', 'too:') },
    })
    expect(exit).toBe(2)
    expect(err).toContain('error E_ARGUMENT own.yaml:4:19: ')
  })
})
