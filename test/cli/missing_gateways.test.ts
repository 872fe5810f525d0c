import { expect, test } from 'vitest'
import { FILES, idleRunners, INVENTORY, SECRETS } from './support/fixtures.ts'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

const files = {
  ...FILES,
  [`${PLAYBOOKS}/verify.yaml`]: FILES['site.yaml'],
  'inventory.yaml': INVENTORY.replace(/^gateways.*\n/m, ''),
}

test.each(['plan site.yaml', 'converge site.yaml', 'verify'])(
  '%s warns once of a site without a gateway, and says where and what to add',
  async (command) => {
    const { open } = idleRunners()
    const line = `${command} -i inventory.yaml`
    const { out, err } = await runCommandLine(line, { env: SECRETS, files, open })
    const warned = `${out}${err}`.match(/^warning .*gateway.*$/gm)
    expect(warned).toHaveLength(1)
    expect(warned?.[0]).toContain('warning inventory.yaml:1:1: site edge has no gateway: ')
    expect(warned?.[0]).toContain('Add `gateways: [ADDRESS]`')
  },
)

test('a site with a gateway is warned of nothing', async () => {
  const { out, err } = await runCommandLine('plan site.yaml -i inventory.yaml', {
    env: SECRETS,
    files: FILES,
  })
  expect(`${out}${err}`).not.toContain('warning')
})

const siteOf = (name: string, net: number) => `  ${name}:
    hosts:
      - { name: ${name}1, address: 10.0.${net}.1 }
      - { name: ${name}2, address: 10.0.${net}.2 }
`

test('several sites without a gateway are one warning', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const { err } = await runCommandLine('plan site.yaml -i inventory.yaml -e motd=x', {
    env: SECRETS,
    files: { ...FILES, 'inventory.yaml': `sites:\n${names.map(siteOf).join('')}` },
  })
  expect(err.match(/warning .* sites a, b, c, d and 2 more have no gateway/g)).toHaveLength(1)
})
