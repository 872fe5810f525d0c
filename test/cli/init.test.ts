import { expect, test } from 'vitest'
import { parseInventory } from '../../src/plan/inventory.ts'
import { runCommandLine } from './support/test_world.ts'

const FLAGS = '--host h1=10.0.0.11 --host h2=10.0.0.12'

test('from flags it is an inventory that converge takes', async () => {
  const { exit, out, world } = await runCommandLine(
    `init edge.yaml --name edge ${FLAGS} --user ops --virtual-ip 10.0.0.10/24 --interface ens3 --gateway 10.0.0.1`,
  )
  expect(exit).toBe(0)
  expect(out).toBe('edge.yaml written. Next: twonode converge -i edge.yaml --check\n')
  const text = world.written.get(`${world.cwd}/edge.yaml`) ?? ''
  const site = parseInventory(text, 'edge.yaml').sites.get('edge')
  expect(site?.site.hosts.map(({ address }) => address)).toEqual(['10.0.0.11', '10.0.0.12'])
  expect(site?.site.virtualIp).toEqual({ address: '10.0.0.10', prefix: 24, interface: 'ens3' })
  expect(site?.site.gateways).toEqual(['10.0.0.1'])
  expect(site?.hosts[0]?.ssh.user).toBe('ops')
})

test('on a terminal it asks, and what is left empty is what stands in brackets', async () => {
  const { exit, err, world } = await runCommandLine('init', {
    answers: ['shop', 'a=10.1.0.1', 'b=10.1.0.2', '', '', ''],
  })
  expect(exit).toBe(0)
  expect(err).toContain('Name of the site [site] ')
  const text = world.written.get(`${world.cwd}/inventory.yaml`) ?? ''
  const site = parseInventory(text, 'inventory.yaml').sites.get('shop')
  expect(site?.site.hosts.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(site?.site.virtualIp).toBeNull()
})

test('a wrong answer is said to be one, and asked for again', async () => {
  const { exit, err, world } = await runCommandLine('init', {
    // oxfmt-ignore
    answers: [
      'Not a name!', 'shop',
      'a', 'a=10.1.0.1',
      'b=10.1.0.1', 'b=10.1.0.2',
      '',
      '10.9.0.1/24', '10.1.0.9/24',
      '',
      'gateway', '10.1.0.254',
    ],
  })
  expect(exit).toBe(0)
  expect(err).toContain('"a" is no host: write NAME=ADDRESS\nFirst host [h1=10.0.0.11] ')
  expect(err.match(/Second host/g)).toHaveLength(2)
  expect(err.match(/Virtual IP/g)).toHaveLength(2)
  const text = world.written.get(`${world.cwd}/inventory.yaml`) ?? ''
  const { site } = parseInventory(text, 'inventory.yaml').sites.get('shop') ?? {}
  expect(site?.hosts.map(({ address }) => address)).toEqual(['10.1.0.1', '10.1.0.2'])
  expect(site?.virtualIp).toMatchObject({ address: '10.1.0.9', prefix: 24 })
  expect(site?.gateways).toEqual(['10.1.0.254'])
})

test('who never answers right is not asked for ever', async () => {
  const answers = Array.from({ length: 20 }, () => 'Not a name!')
  const { exit, err, world } = await runCommandLine('init', { answers })
  expect(exit).toBe(2)
  expect(err.match(/Name of the site \[/g)).toHaveLength(5)
  expect(world.written.size).toBe(0)
})

test('it never replaces a file', async () => {
  const { exit, world } = await runCommandLine(`init ${FLAGS}`, {
    files: { 'inventory.yaml': 'mine' },
  })
  expect(exit).toBe(2)
  expect(world.written.size).toBe(0)
})

test('what the inventory would refuse is refused before a file is written', async () => {
  const { exit, err, world } = await runCommandLine('init --host h1=10.0.0.11 --host h2=10.0.0.11')
  expect(exit).toBe(2)
  expect(err).toContain('error E_INVENTORY')
  expect(world.written.size).toBe(0)
})

test('an answer that looks like YAML stays text', async () => {
  const { world } = await runCommandLine(`init ${FLAGS} --user yes`)
  expect(world.written.get(`${world.cwd}/inventory.yaml`)).toContain('ssh: { user: "yes" }')
})
