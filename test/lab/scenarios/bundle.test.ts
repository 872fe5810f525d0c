import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hostRoot } from '../../../lab/disks.ts'
import type { Lab } from '../../../lab/lab.ts'
import type { HostName } from '../../../lab/names.ts'
import { withNewerK3s } from '../../../lab/newer_k3s.ts'
import { withNewerKine } from '../../../lab/newer_kine.ts'
import { cutUplink, makeStick, plugIn, STICK, type Stick } from '../../../lab/usb_stick.ts'
import { converge, explain, type Laptop, withInventory } from '../../../lab/twonode_process.ts'
import { bareHosts, eventually, inHost, laptop, theLab } from '../pair.ts'
import { onThePair } from '../scenario.ts'

/** A bare host, on a busy machine. @unit milliseconds */
const INSTALL_MS = 5 * 60_000
const PAIRED_MS = 60_000
const FAILOVER_MS = 20_000

/** Whatever is in it: k3s takes it in, and not we. */
const IMAGES = 'an archive of images'

const HOSTS = ['h1', 'h2'] as const

/** What the first test has made, the others go by. */
let first: Stick
let second: Stick

test('bare hosts with no route anywhere become a pair from a bundle on their own disk, and no laptop reaches them', async () => {
  const lab = await bareHosts()
  const from = await laptop('first')
  first = await makeStick(from, 'first')
  for (const host of HOSTS) {
    await cutUplink(lab, host)
    plugIn(lab, host, first)
  }
  const lost = await lab.exec('h1', ['ip', 'route', 'get', '192.0.2.1'])
  expect(lost.stderr).toContain('unreachable')

  // Bad words change nothing: the right ones find a bare host.
  expect(await refused('h2', '')).toContain('--first')
  expect(await refused('h2', '--host h3')).toContain('h1 and h2, not of h3')
  expect(await install('h1', '--first')).toContain('h1 leads')
  expect(await refused('h2', '--first')).toContain('it is there already')
  await joins('h2', 'h1')
  await paired('h1')
  for (const host of HOSTS) expect(await install(host)).toMatch(/: 0 changed/)
})

test('the next kine and k3s come by the next bundle, the follower first; the pair goes back to the one before, which it has kept', async () => {
  const lab = await theLab()
  const newer = await withNewerK3s(lab, await withNewerKine(lab, await laptop('first')))
  second = await makeStick(withImages(newer.laptop), 'second')
  const before = binaries(lab)
  const scenario = await onThePair()
  await scenario.writer('h1')
  for (const host of HOSTS) plugIn(lab, host, second)
  for (const host of ['h2', 'h1'] as const)
    expect(await install(host, '', second)).not.toContain(': 0 changed')
  expect(await inHost('h1', ['k3s', '--version'])).toContain(newer.version)
  const images = '/var/lib/rancher/k3s/agent/images/shop-images.tar'
  for (const host of HOSTS) expect(await inHost(host, ['cat', images])).toBe(IMAGES)
  expect(binaries(lab).filter((sha256) => before.includes(sha256))).toEqual([])
  await scenario.paired('h1', PAIRED_MS)

  for (const host of ['h2', 'h1'] as const)
    await inHost(host, ['twonode', 'install', '--previous'], INSTALL_MS)
  expect(binaries(lab)).toEqual(before)
  await scenario.paired('h1', PAIRED_MS)
  const bundles = readdirSync(join(hostRoot(lab.name, 'h1'), 'opt/twonode/bundles'))
  expect(bundles.filter((name) => name !== '.lock').toSorted()).toEqual(
    [first.sha256, second.sha256].toSorted(),
  )
  // Its programs were replaced: none of them may have run on.
  expect(await scenario.end('h1', [])).toEqual([])

  const words = ['--check', '--bundle', join(first.folder, first.name), '--signer', first.signer]
  const looked = await converge(await laptop('first'), words)
  expect(looked.code, `a laptop with the same bundle: ${explain(looked)}`).toBe(0)
})

test('33, B10: another machine stands in for a dead leader from a bundle on its disk, with the laptop away', async () => {
  const scenario = await onThePair()
  const { lab } = scenario
  await scenario.writer('h2')
  await scenario.act('h1 loses its power', () => lab.powerOff('h1'))
  await scenario.until({ leader: 'h2', mode: 'alone' }, ['h2'], FAILOVER_MS)
  await scenario.writing(FAILOVER_MS)
  await scenario.act('a bare machine with the stick joins in its place', async () => {
    await lab.renew('h1')
    await cutUplink(lab, 'h1')
    plugIn(lab, 'h1', first)
    await joins('h1', 'h2')
  })
  await scenario.paired('h2', PAIRED_MS)
  expect(await scenario.end('h2', ['h2'])).toEqual([])
})

/** With an archive of images of its own. */
function withImages(from: Laptop): Laptop {
  const path = join(from.home, 'shop-images.tar')
  writeFileSync(path, IMAGES)
  return withInventory(from, 'images.yaml', (site) => ({
    ...site,
    k3s: { ...site['k3s'], images: { path } },
  }))
}

function command(stick: Stick, words: string): string {
  return `exec sh ${STICK}/install.sh ${STICK}/${stick.name} --signer ${stick.signer} ${words}`
}

async function install(host: HostName, words = '', stick = first): Promise<string> {
  return await inHost(host, ['sh', '-c', command(stick, words)], INSTALL_MS)
}

async function refused(host: HostName, words: string): Promise<string> {
  const { code, stderr } = await (await theLab()).exec(host, ['sh', '-c', command(first, words)])
  expect(code, stderr).not.toBe(0)
  return stderr
}

/** With a token that the other one has made: it is at hand where both hosts are. */
async function joins(host: HostName, leader: HostName): Promise<void> {
  const token = await inHost(leader, ['twonode', 'token', 'create'])
  const lab = await theLab()
  const argv = ['sh', '-c', command(first, '--join')]
  const { code, stderr, stdout } = await lab.exec(host, argv, {
    stdin: token,
    timeoutMs: INSTALL_MS,
  })
  expect(code, `${stdout}${stderr}`).toBe(0)
}

async function paired(leader: HostName): Promise<void> {
  await eventually(
    'the two are a pair',
    async () => {
      const status = await inHost(leader, ['twonode', 'status'])
      return status.includes('every acknowledged write is on both hosts') || status
    },
    PAIRED_MS,
  )
}

/** Digests of both programs on both hosts. */
function binaries(lab: Lab): readonly string[] {
  const files = HOSTS.flatMap((host) =>
    ['kine', 'k3s'].map((name) => join(hostRoot(lab.name, host), 'usr/local/bin', name)),
  )
  return files.map((path) => createHash('sha256').update(readFileSync(path)).digest('hex'))
}
