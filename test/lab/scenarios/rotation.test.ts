import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { HostName } from '../../../lab/names.ts'
import { agentStatus, metaOf } from '../../../lab/pair_view.ts'
import {
  converge,
  explain,
  finished,
  killGroup,
  startTwonode,
  type Laptop,
  type Run,
  withInventory,
} from '../../../lab/twonode_process.ts'
import { inHost, laptop, mustConverge, psql, stepNames, theLab } from '../pair.ts'
import { onThePair, startScenario, unitRuns } from '../scenario.ts'

/** @unit milliseconds */
const ALONE_MS = 15_000
const RETURN_MS = 60_000

const LEAVES = ['postgres', 'replication', 'kine', 'agent'].map(
  (name) => `/etc/twonode/tls/${name}.crt`,
)

test('34: keys and certificates are rotated while a writer writes, of both hosts and of one whose peer is off; the next converge finds nothing to do', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const from = await laptop('first')
  await scenario.writer('h1')
  const before = { h1: await leaves('h1'), h2: await leaves('h2') }
  await scenario.act('both hosts get new ones', () => rotate([]))
  const after = { h1: await leaves('h1'), h2: await leaves('h2') }
  for (const host of ['h1', 'h2'] as const)
    for (const [at, sum] of after[host].entries())
      expect(sum, LEAVES[at]).not.toBe(before[host][at])
  await scenario.paired('h1', RETURN_MS)

  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], ALONE_MS)
  await scenario.act('h1 gets new ones', () => rotate(['--limit', 'h1']))
  expect(await leaves('h1')).not.toEqual(after.h1)
  await scenario.writing(ALONE_MS)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  expect(await leaves('h2'), 'its own are good until they expire').toEqual(after.h2)
  await scenario.poll("h2's k3s runs", () => unitRuns('h2', 'k3s.service'), RETURN_MS)
  expect(stepNames(await mustConverge(from), 'changed')).toEqual([])
  expect(await scenario.end('h1', [])).toEqual([])

  async function rotate(more: readonly string[]): Promise<Run> {
    const words = ['rotate', 'certificates', '-i', from.inventory, '--json', ...more]
    const run = await finished(startTwonode(from, words))
    expect(run.code, explain(run)).toBe(0)
    return run
  }
})

test("34: k3s' token is rotated while a writer writes: cut, made again, and with a host that is off", async () => {
  const scenario = await onThePair()
  const { lab } = scenario
  const from = await laptop('first')
  const before = await tokens()
  expect(new Set(before).size).toBe(1)
  await inHost('h2', ['/usr/local/bin/twonode', 'pause'])
  // The agent looks with its next round: before that a rotation would be begun.
  const isPaused = async () => (await agentStatus(lab, 'h2'))['paused'] === true
  await scenario.poll('h2 to say so', isPaused, ALONE_MS)
  const paused = await token([])
  expect(paused.code, explain(paused)).toBe(3)
  expect(paused.stdout).toContain('h2 is paused by an operator')
  await inHost('h2', ['/usr/local/bin/twonode', 'resume'])

  await scenario.writer('virtualIp')
  await scenario.writer('h2')
  await scenario.act('a rotation is cut when h2 has the new token', () =>
    cutAt('k3s of h2 starts anew'),
  )
  await scenario.paired('h1', RETURN_MS)
  expect(new Set(await tokens()).size, 'each has its own').toBe(2)

  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], ALONE_MS)
  const away = await token([])
  expect(away.code, explain(away)).toBe(4)
  expect(away.stdout).toContain('h2 does not answer')
  expect(away.stderr).toContain('--limit h1')
  const k3s = await inHost('h1', ['systemctl', 'show', '-P', 'MainPID', 'k3s.service'])
  await scenario.act('h1 gets a newer one', () => mustRotate(['--limit', 'h1']))
  const still = await inHost('h1', ['systemctl', 'show', '-P', 'MainPID', 'k3s.service'])
  expect(still, 'nobody else serves').toBe(k3s)
  expect(await keys('h1'), "the first one, h2's and the newest open").toBe('3')
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  await scenario.poll("h2's k3s runs", () => unitRuns('h2', 'k3s.service'), RETURN_MS)
  const refused = await converge(from)
  expect(refused.code, explain(refused)).toBe(5)
  expect(explain(refused)).toContain('twonode rotate token')

  await scenario.act('both get one', () => mustRotate([]))
  await scenario.paired('h2', RETURN_MS)
  const after = await tokens()
  expect(new Set(after).size, 'one token on both').toBe(1)
  expect(after).not.toEqual(before)
  expect(await keys('h2'), 'no other one opens').toBe('1')
  expect(stepNames(await mustConverge(from), 'changed')).toEqual([])
  expect(await scenario.end('h2', [])).toEqual([])

  function start(more: readonly string[]) {
    return startTwonode(from, ['rotate', 'token', '-i', from.inventory, '--json', ...more])
  }
  async function token(more: readonly string[]): Promise<Run> {
    return await finished(start(more))
  }
  async function mustRotate(more: readonly string[]): Promise<void> {
    const run = await token(more)
    expect(run.code, `${explain(run)}\n${run.stdout}`).toBe(0)
  }
  async function cutAt(words: string): Promise<void> {
    const child = start([])
    let said = ''
    child.stdout?.on('data', (text: Buffer) => {
      said += text.toString()
      if (said.includes(words)) killGroup(child)
    })
    const run = await finished(child)
    expect(said, explain(run)).toContain(words)
    expect(run.code).toBe(-1)
  }
})

test('35: a follower moves to another address while a writer writes; the next converge finds nothing to do', async () => {
  const scenario = await onThePair()
  const { lab } = scenario
  const from = await laptop('first')
  await scenario.writer('h2')
  const old = lab.hosts.h1.address
  const address = `${old.slice(0, old.lastIndexOf('.'))}.31`
  await inHost('h1', ['/usr/local/bin/twonode', 'leave'])
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], ALONE_MS)
  onTestFinished(() => readdress('h1', { from: address, to: old }))
  await scenario.act('h1 has another address', () => readdress('h1', { from: old, to: address }))
  const moved = inventoryWith(address)
  await scenario.act('the hosts are told', () => mustConverge(moved))
  await inHost('h1', ['/usr/local/bin/twonode', 'leave', '--end'])
  await scenario.paired('h2', RETURN_MS)
  const peers = 'select distinct client_addr from pg_stat_replication'
  await scenario.poll(
    'h1 to stream from there',
    async () => (await psql('h2', peers)) === address,
    RETURN_MS,
  )
  for (const host of ['h1', 'h2'] as const)
    expect(metaOf(lab, host)?.hosts.find(({ name }) => name === 'h1')?.address).toBe(address)
  await scenario.poll("h1's k3s runs", () => unitRuns('h1', 'k3s.service'), RETURN_MS)
  expect(stepNames(await mustConverge(moved), 'changed')).toEqual([])
  expect(await scenario.end('h2', [])).toEqual([])

  /** What a laptop has when h1 has moved. */
  function inventoryWith(to: string): Laptop {
    const knownHosts = join(from.home, 'moved_known_hosts')
    writeFileSync(
      knownHosts,
      readFileSync(lab.knownHostsFile, 'utf8').replaceAll(`${old} `, `${to} `),
    )
    return withInventory(from, 'moved.yaml', (site) => {
      const hosts = (site['hosts'] as readonly InventoryHost[]).map((host) => ({
        ...host,
        ...(host.name === 'h1' ? { address: to } : {}),
        ssh: { ...host.ssh, knownHosts },
      }))
      return { ...site, hosts }
    })
  }
})

interface InventoryHost {
  readonly name: string
  readonly ssh: object
}

/** As a network does it whose hosts are given addresses: the routes stay. */
async function readdress(
  host: HostName,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const { gateway } = await theLab()
  const lines = [
    'echo 1 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries',
    `ip address add ${to}/24 dev eth0`,
    `ip address del ${from}/24 dev eth0`,
    `ip route replace default via ${gateway}`,
  ]
  await inHost(host, ['sh', '-ec', lines.join('\n')])
}

/** A hash of each host's token. */
async function tokens(): Promise<readonly string[]> {
  const argv = ['sha256sum', '/etc/twonode/pki/k3s-token']
  return [await inHost('h1', argv), await inHost('h2', argv)]
}

/** How many tokens open what the servers share. */
async function keys(host: HostName): Promise<string> {
  return await psql(
    host,
    `select count(*) from (select distinct on (name) name, deleted from kine
     where name like '/bootstrap/%' order by name, id desc) latest where deleted = 0`,
  )
}

async function leaves(host: 'h1' | 'h2'): Promise<readonly string[]> {
  return (await inHost(host, ['sha256sum', ...LEAVES])).split('\n')
}
