import { beforeAll, expect, test } from 'vitest'
import type { Lab } from '../../lab/lab.ts'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'
import { agentStatus } from '../../lab/pair_view.ts'
import {
  changedCounts,
  explain,
  finished,
  type Laptop,
  makeLaptop,
  startTwonode,
} from '../../lab/twonode_process.ts'
import {
  convergedPair,
  eventually,
  healthy,
  inHost,
  mustConverge,
  psql,
  stepNames,
} from './pair.ts'

let lab: Lab
let from: Laptop

beforeAll(async () => {
  ;({ lab, from } = await convergedPair())
})

type AgentStatus = Readonly<Record<string, unknown>>

/** Polls both agents until each says this of itself. */
async function agentsSay(wanted: Partial<Record<HostName, AgentStatus>>, timeoutMs = 60_000) {
  await eventually(
    `agents: ${JSON.stringify(wanted)}`,
    async () => {
      for (const [host, properties] of Object.entries(wanted)) {
        const status = await agentStatus(lab, host as HostName)
        for (const [name, value] of Object.entries(properties))
          if (status[name] !== value) return `${host}: ${JSON.stringify(status)}`
      }
      return true
    },
    timeoutMs,
  )
}

/** True when the API server of this host has acknowledged the ConfigMap. */
async function writes(host: HostName, name: string): Promise<boolean> {
  const create = ['create', 'configmap', name, '--from-literal=by=test']
  const kubectl = ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=2s']
  const { code, stderr } = await lab.exec(host, [...kubectl, ...create], { timeoutMs: 5_000 })
  return code === 0 || stderr.includes('already exists')
}

async function configMaps(host: HostName): Promise<ReadonlySet<string>> {
  const kubectl = ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=10s']
  const out = await inHost(host, [...kubectl, 'get', 'configmaps', '-o', 'name'])
  return new Set(out.split('\n').map((line) => line.replace('configmap/', '')))
}

test('both agents are up, agree, and change nothing; a converge changes nothing either', async () => {
  await agentsSay({
    h1: { role: 'leader', mode: 'paired', peer: 'answers', settled: 'yes' },
    h2: { role: 'follower', mode: 'paired', peer: 'answers', settled: 'yes', promotable: true },
  })
  const before = await Promise.all(
    HOST_NAMES.map(async (host) => (await agentStatus(lab, host))['term']),
  )
  expect(changedCounts(await mustConverge(from))).toEqual({ h1: 0, h2: 0 })
  const after = await Promise.all(
    HOST_NAMES.map(async (host) => (await agentStatus(lab, host))['term']),
  )
  expect(after).toEqual(before)
})

test('a converge that replaces the site is done when both agents go by it, and hear each other', async () => {
  const other = await makeLaptop(lab, 'noting', { vars: { note: 'another site' } })
  const run = await mustConverge(other)
  const waited = stepNames(run, 'changed').filter((step) => step.includes('The agent goes by'))
  expect(waited.map((step) => step.slice(0, 2)).toSorted()).toEqual(['h1', 'h2'])
  // Looked at once: nothing is left to wait for.
  for (const host of HOST_NAMES)
    expect(await agentStatus(lab, host)).toMatchObject({ siteReplaced: false, peer: 'answers' })
  const verified = await finished(startTwonode(other, ['verify', '-i', other.inventory, '--json']))
  expect(verified.code, explain(verified)).toBe(0)
})

test('a switchover hands over by agreement: no copy, no jump of the revision, and what was written is there', async () => {
  const [leader, follower] = await roles()
  expect(await writes(leader, 'before-switchover')).toBe(true)
  const before = Number(await psql(leader, 'select max(id) from kine'))
  await inHost(leader, ['/usr/local/bin/twonode', 'switchover'])
  await agentsSay({
    [follower]: { role: 'leader', mode: 'paired', settled: 'yes' },
    [leader]: { role: 'follower', mode: 'paired', promotable: true },
  })
  await eventually('the new leader takes writes', async () => await served(follower, 'switched'))
  expect(await configMaps(follower)).toContain('before-switchover')
  expect(Number(await psql(follower, 'select max(id) from kine'))).toBeLessThan(before + 10_000)
  await healthy(from)
})

test('a leader whose agent is dead for good stops writing, and goes on when it is back (B9)', async () => {
  const [leader] = await roles()
  await inHost(leader, ['systemctl', 'stop', 'twonode-agent.service'])
  await eventually(
    'kine and the virtual address are gone',
    async () => {
      const { stdout } = await lab.exec(leader, ['systemctl', 'is-active', 'kine.service'])
      const addresses = await inHost(leader, ['ip', '-br', 'address', 'show'])
      if (addresses.includes(`${lab.virtualIp}/`)) return addresses
      return stdout.trim() === 'inactive' ? true : stdout
    },
    15_000,
  )
  expect(await writes(leader, 'unwatched')).toBe(false)
  await inHost(leader, ['systemctl', 'start', 'twonode-agent.service'])
  await agentsSay({ [leader]: { mode: 'paired', settled: 'yes', peer: 'answers' } })
  await eventually('it takes writes again', async () => await served(leader, 'watched'))
  await healthy(from)
})

/** The leader, then its follower. */
async function roles(): Promise<readonly [HostName, HostName]> {
  const { leader } = await agentStatus(lab, 'h1')
  return leader === 'h1' ? ['h1', 'h2'] : ['h2', 'h1']
}

async function served(host: HostName, name: string): Promise<true | string> {
  return (await writes(host, name)) || 'not yet'
}
