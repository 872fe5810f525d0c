import { setTimeout as pause } from 'node:timers/promises'
import { expect, inHost, kubectl, rowsOf, sql } from './demo_hosts.ts'
import type { Lab } from './lab.ts'
import { HOST_NAMES, type HostName } from './names.ts'
import { agentStatus, arePaired, metaOf } from './pair_view.ts'
import { until } from './wait.ts'

/** How long a write must stay unanswered to show that it waits for the follower. @unit milliseconds */
const UNANSWERED_MS = 3_000

/** What a write may take that the agents let go, and how long the way back to a pair. @unit milliseconds */
const LET_GO_MS = 20_000
const PAIRED_MS = 40_000

/** Stopped together: the guard takes kine away from a host whose agent is silent (B9). */
const UNITS = ['twonode-guard.service', 'twonode-agent.service']

/**
 * A write waits for the follower for as long as it takes: with nobody there to end the stall, none is
 * acknowledged. h1 leads.
 */
export async function showStall(lab: Lab, say: (line: string) => void): Promise<void> {
  await onBoth(lab, ['systemctl', 'stop', ...UNITS])
  await sql(lab, 'h2', 'alter subscription twonode disable')
  const write = startWrite(lab, 'h1', 'demo-waits')
  try {
    await pause(UNANSWERED_MS)
    expect(!write.isAnswered(), 'a write was acknowledged though the follower applies nothing')
    say(`agents and apply worker stopped: no acknowledgement in ${UNANSWERED_MS / 1000} s`)
  } finally {
    await sql(lab, 'h2', 'alter subscription twonode enable')
  }
  await write.answered
  say('apply worker resumed: acknowledged')
  await onBoth(lab, ['systemctl', 'start', ...UNITS])
  await pairAgain(lab)
}

/**
 * With the agents there the same stall ends: the leader records that it is alone, acknowledges, and
 * takes the follower back, which then has what it missed (B7).
 */
export async function showStallEnded(lab: Lab, say: (line: string) => void): Promise<void> {
  const worker = await sql(
    lab,
    'h2',
    "select pid from pg_stat_activity where backend_type = 'logical replication worker'",
  )
  await inHost(lab, 'h2', ['kill', '-STOP', worker])
  const began = Date.now()
  const write = startWrite(lab, 'h1', 'demo-alone')
  try {
    await until('the agents to end the stall', () => write.isAnswered() || undefined, {
      timeoutMs: LET_GO_MS,
    })
    await write.answered
    // The record is on the disk before anything is acknowledged alone.
    expect(metaOf(lab, 'h1')?.mode === 'alone', 'acknowledged by a leader that says "paired"')
    const after = ((Date.now() - began) / 1000).toFixed(1)
    say(`agents running, apply worker hung: h1 went alone, acknowledged after ${after} s`)
  } finally {
    await inHost(lab, 'h2', ['kill', '-CONT', worker])
  }
  await pairAgain(lab)
  const rows = await rowsOf(lab, 'h2', 'demo-alone')
  expect(rows === 1, `h2's PostgreSQL has ${rows} rows of what h1 acknowledged alone`)
  say('apply worker runs again: a pair, and the write stands in both')
}

interface Write {
  readonly isAnswered: () => boolean
  readonly answered: Promise<unknown>
}

function startWrite(lab: Lab, host: HostName, name: string): Write {
  const args = ['create', 'configmap', name, '--from-literal=a=b']
  let isAnswered = false
  const answered = kubectl(lab, host, args, 30_000).then(() => (isAnswered = true))
  // Awaited by whoever asked; what ends the demo before must not leave a rejection unheard.
  answered.catch(() => undefined)
  return { isAnswered: () => isAnswered, answered }
}

async function onBoth(lab: Lab, argv: readonly string[]): Promise<void> {
  await Promise.all(HOST_NAMES.map((host) => inHost(lab, host, argv)))
}

async function pairAgain(lab: Lab): Promise<void> {
  const isPair = async (): Promise<true | undefined> => {
    if (!arePaired(lab)) return undefined
    const settled = await Promise.all(HOST_NAMES.map((host) => isSettled(lab, host)))
    return settled.every(Boolean) || undefined
  }
  await until('the two to be a pair again', isPair, { timeoutMs: PAIRED_MS, everyMs: 200 })
}

/** Its agent knows its role and hears its peer: one that has just started does not. */
async function isSettled(lab: Lab, host: HostName): Promise<boolean> {
  const { settled, peer } = await agentStatus(lab, host)
  return settled === 'yes' && peer === 'answers'
}
