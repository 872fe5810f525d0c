import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hostRoot } from '../../../lab/disks.ts'
import type { HostName } from '../../../lab/names.ts'
import { decisions, metaOf } from '../../../lab/pair_view.ts'
import {
  changedCounts,
  converge,
  explain,
  finished,
  killGroup,
  startTwonode,
  type Laptop,
  type Run,
} from '../../../lab/twonode_process.ts'
import { eventually, healthy, inHost, laptop, mustConverge, psql, theLab } from '../pair.ts'
import { onThePair, startScenario, unitRuns } from '../scenario.ts'

/** @unit milliseconds */
const ALONE_MS = 15_000
const FAILOVER_MS = 20_000
const PAIRED_MS = 30_000

/** Who stands down must be seen to stay so. @unit milliseconds */
const STANDS_MS = 5_000

/** From a host with packages to a pair, on a busy machine. @unit milliseconds */
const REPLACE_MS = 5 * 60_000

/** What the first test's laptop has learned, the second one's goes by. */
let from: Laptop

test("33, B10: the follower's machine is replaced by one of another name while its leader goes on; its key is told, and a run that is cut goes on", async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  from = await laptopWithKeysOfItsOwn()
  await scenario.writer('h1')
  const whole = await replace('h2', 'h2')
  expect(whole.stdout, 'a pair that is whole').toContain('nothing is replaced')
  expect(whole.code, explain(whole)).toBe(0)
  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], ALONE_MS)
  await scenario.act('another machine stands in the place of h2', async () => {
    await lab.renew('h2', { like: 'packages' })
    await newHostKey('h2')
  })
  writeInventory((text) => text.replaceAll('name: h2', 'name: h3'))

  const stranger = await replace('h3', 'h2')
  expect(stranger.code, explain(stranger)).toBe(4)
  expect(stranger.stdout.match(/SHA256:[\w+/]{43}/g), 'both fingerprints').toHaveLength(2)
  forgetKey(lab.hosts.h2.address)
  const plain = await converge(from, ['--accept-new-host-keys'])
  expect(plain.stdout).toContain('twonode replace --host h3 --for h2')
  expect(plain.code, explain(plain)).toBe(5)

  // The laptop dies half-way: the hosts end by themselves, and the next run finds what is done.
  await cutOnce('kine has a database')
  await scenario.act('h3 takes the place of h2', () => mustReplace('h3', 'h2'))
  await scenario.paired('h1', PAIRED_MS)
  expect(metaOf(lab, 'h1')).toMatchObject({ branch: 1, hosts: [{ name: 'h1' }, { name: 'h3' }] })
  expect(await scenario.end('h1', ['h1'])).toEqual([])
  await wholeAndConverged()
})

test("33, B10: the leader's machine is replaced with nobody at a laptop: a prepared host boots with a join token while the one that took over goes on", async () => {
  const scenario = await onThePair()
  const { lab } = scenario
  await scenario.writer('h2')
  await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h3', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  const token = await inHost('h2', ['twonode', 'token', 'create'])
  await scenario.act('a prepared machine with the token boots in the place of h1', async () => {
    await lab.renew('h1', { like: 'packages' })
    await prepare('h1', token)
    await lab.reboot('h1')
  })
  await scenario.until({ leader: 'h3', mode: 'paired' }, ['h1', 'h2'], REPLACE_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
  await wholeAndConverged()
  expect(await inHost('h2', ['twonode', 'token', 'list']), 'one use').toContain('used by h1')
})

test('33: a machine that was replaced wakes up, is told so, and stands down', async () => {
  const scenario = await onThePair()
  const { lab } = scenario
  await scenario.act('h3 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], FAILOVER_MS)
  await scenario.writer('h1')
  await scenario.act('the old h2 wakes up in its place', () => lab.renew('h2', 'the old one'))
  await scenario.poll(
    'the old h2 to stand down',
    () =>
      decisions(lab).some(({ host, record }) => host === 'h2' && record['rule'] === 'stood-down'),
    FAILOVER_MS,
  )
  await scenario.holds(
    'h1 leads alone, and the old h2 serves nothing',
    () => metaOf(lab, 'h1')?.mode === 'alone',
    STANDS_MS,
  )
  expect(await unitRuns('h2', 'kine.service')).toBe(false)
  const addresses = await inHost('h2', ['ip', '-brief', 'address', 'show'])
  expect(addresses).not.toContain(lab.virtualIp)
  await scenario.writing(ALONE_MS)
  expect(await scenario.end('h1', ['h1'])).toEqual([])
})

/** Forgotten keys are accepted anew, known ones are not replaced. */
const WORDS = ['replace', '--yes', '--json', '--accept-new-host-keys']

function start(host: string, old: string): ReturnType<typeof startTwonode> {
  const names = ['--host', host, '--for', old]
  return startTwonode(from, [...WORDS, '-i', from.inventory, ...names])
}

async function replace(host: string, old: string): Promise<Run> {
  return await finished(start(host, old), REPLACE_MS)
}

async function mustReplace(host: string, old: string): Promise<void> {
  const run = await replace(host, old)
  expect(run.code, explain(run)).toBe(0)
}

/** Kills the laptop's process when it says that this task has changed something. */
async function cutOnce(task: string): Promise<void> {
  const child = start('h3', 'h2')
  let said = ''
  child.stdout?.on('data', (text: Buffer | string) => {
    said += String(text)
    if (said.includes(task)) killGroup(child)
  })
  const run = await finished(child, REPLACE_MS)
  expect(said, explain(run)).toContain(task)
  expect(run.code).toBe(-1)
}

/** What a host needs beforehand to join: twonode, both binaries, and the order. */
async function prepare(host: HostName, token: string): Promise<void> {
  const lab = await theLab()
  const brought = await finished(startTwonode(from, ['facts', '-i', from.inventory, '-l', host]))
  expect(brought.code, explain(brought)).toBe(0)
  const { kine, k3s } = await lab.artefacts()
  for (const [name, { path }] of Object.entries({ kine, k3s }))
    cpSync(path, join(hostRoot(lab.name, host), 'usr/local/bin', name))
  const agent = ['/opt/twonode/node', '/opt/twonode/current/agent.mjs']
  const names = ['--host', host, '--address', lab.hosts[host].address, '--to', lab.hosts.h2.address]
  const ended = await lab.exec(host, [...agent, 'join', ...names], { stdin: token })
  expect(ended.code, ended.stderr).toBe(0)
}

/** The same rows on both hosts, nothing that a converge would change, and every service well. */
async function wholeAndConverged(): Promise<void> {
  const rows = "select md5(string_agg(k::text, '|' order by id)) from public.kine k"
  await eventually('both tables are the same', async () => {
    const [one, two] = await Promise.all([psql('h1', rows), psql('h2', rows)])
    return one === two ? true : `${one} and ${two}`
  })
  expect(Object.values(changedCounts(await mustConverge(from)))).toEqual([0, 0])
  await healthy(from)
}

/** A laptop that may learn and forget keys without the lab's others knowing. */
async function laptopWithKeysOfItsOwn(): Promise<Laptop> {
  const made = await laptop('replacing')
  const { knownHostsFile } = await theLab()
  const own = knownHosts(made)
  writeFileSync(own, readFileSync(knownHostsFile, 'utf8'))
  writeInventory((text) => text.replaceAll(knownHostsFile, own), made)
  return made
}

function writeInventory(change: (text: string) => string, { inventory } = from): void {
  writeFileSync(inventory, change(readFileSync(inventory, 'utf8')))
}

function knownHosts({ home }: Laptop): string {
  return join(home, 'known_hosts')
}

function forgetKey(address: string): void {
  const lines = readFileSync(knownHosts(from), 'utf8').split('\n')
  const others = lines.filter((line) => !line.startsWith(`${address} `))
  writeFileSync(knownHosts(from), others.join('\n'))
}

/** As new hardware has one. */
async function newHostKey(host: HostName): Promise<void> {
  const key = '/etc/ssh/ssh_host_ed25519_key'
  await inHost(host, ['rm', key, `${key}.pub`])
  await inHost(host, ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key])
  await inHost(host, ['systemctl', 'restart', 'ssh.service'])
}
