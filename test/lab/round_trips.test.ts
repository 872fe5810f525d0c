import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Lab } from '../../lab/lab.ts'
import { HOST_NAMES } from '../../lab/names.ts'
import { changedCounts, type Laptop, type Run } from '../../lab/twonode_process.ts'
import { type CountingProxy, startCountingProxy } from '../support/counting_proxy.ts'
import { convergedPair, laptop, mustConverge, theLab } from './pair.ts'
import { leavesThePair } from './standing_pair.ts'

/** What a converge with nothing to do may cost a host; ssh's log-in alone is five of them. */
const MOST_ROUND_TRIPS = 12

/** Runs in which the two counts may come to differ by chance. */
const MOST_RUNS = 4

let lab: Lab
let from: Laptop

beforeAll(async () => {
  ;({ lab } = await convergedPair())
  from = await laptop('proxied')
})
leavesThePair(theLab)

test('at 100 ms a converge with nothing to do takes at most 12 round trips a host, as its summary says', async () => {
  for (let runs = 1; runs <= MOST_RUNS; runs += 1) {
    const { run, counted } = await convergeThrough(50)
    expect(changedCounts(run)).toEqual({ h1: 0, h2: 0 })
    for (const host of HOST_NAMES) expect(counted[host]).toBeLessThanOrEqual(MOST_ROUND_TRIPS)
    // A send that crosses bytes which the laptop has not read yet is a round trip to the proxy alone.
    if (runs < MOST_RUNS && !sameCounts(counted, said(run))) continue
    expect(said(run)).toEqual(counted)
    return
  }
})

test('without a delay it changes nothing either', async () => {
  const { run, counted } = await convergeThrough(0)
  expect(changedCounts(run)).toEqual({ h1: 0, h2: 0 })
  for (const host of HOST_NAMES) expect(counted[host]).toBeGreaterThan(0)
})

type Counts = Readonly<Record<string, number>>

/** Converges through a proxy before each host, which the person's ssh configuration leads to. */
async function convergeThrough(delayMs: number): Promise<{ run: Run; counted: Counts }> {
  const proxies: Record<string, CountingProxy> = {}
  try {
    for (const host of HOST_NAMES) {
      const { address } = lab.hosts[host]
      proxies[host] = await startCountingProxy({ targetHost: address, targetPort: 22, delayMs })
    }
    writeSshConfig(proxies)
    const run = await mustConverge(from)
    const counted = Object.fromEntries(HOST_NAMES.map((host) => [host, total(proxies[host])]))
    const { durationMs = 0 } = run.summary ?? {}
    const figures = `proxy ${JSON.stringify(counted)}, summary ${JSON.stringify(said(run))}`
    process.stdout.write(`round trips at ${2 * delayMs} ms: ${figures}, ${durationMs} ms\n`)
    return { run, counted }
  } finally {
    await Promise.all(Object.values(proxies).map(async (proxy) => await proxy.stop()))
  }
}

function writeSshConfig(proxies: Readonly<Record<string, CountingProxy>>): void {
  const lines = HOST_NAMES.flatMap((host) => {
    const { address } = lab.hosts[host]
    const port = proxies[host]?.port
    return [`Host ${address}`, 'HostName 127.0.0.1', `Port ${port}`, `HostKeyAlias ${address}`]
  })
  mkdirSync(join(from.home, '.ssh'), { recursive: true })
  writeFileSync(join(from.home, '.ssh', 'config'), `${lines.join('\n')}\n`)
}

function total(proxy: CountingProxy | undefined): number {
  const bursts = proxy?.bursts() ?? []
  expect(bursts, 'one connection a host').toHaveLength(1)
  return bursts.reduce((sum, count) => sum + count, 0)
}

function said({ summary }: Run): Counts {
  const hosts = Object.entries(summary?.hosts ?? {})
  return Object.fromEntries(hosts.map(([host, { roundTrips }]) => [host, roundTrips]))
}

function sameCounts(one: Counts, other: Counts): boolean {
  return HOST_NAMES.every((host) => one[host] === other[host])
}
