import { beforeAll, describe, expect, test } from 'vitest'
import {
  bareHosts,
  convergedPair,
  eventually,
  inHost,
  laptop,
  mustConverge,
  psql,
  stepNames,
  steps,
  stopAgents,
} from './pair.ts'
import { changedCounts, converge, explain, type Laptop } from '../../lab/twonode_process.ts'
import type { Lab } from '../../lab/lab.ts'
import { digests } from './digests.ts'
import { standTogether } from './standing_together.ts'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'

describe('bare hosts', () => {
  test('check on bare hosts lists what will come, says what it can not know and why, and changes nothing', async () => {
    await bareHosts()
    const from = await laptop('first')
    // The first connection brings the runtime; what counts is what changes beside it.
    const before = await Promise.all([digests('h1'), digests('h2')])
    const check = await converge(from, ['--check'])
    expect(check.code, explain(check)).toBe(10)
    expect(stepNames(check, 'would-change')).toContain(
      'h1: PostgreSQL, arping, ping and ip are installed',
    )
    for (const step of steps(check, 'unknown')) expect(step.reason, step.task).toBeTruthy()
    expect(stepNames(check, 'failed')).toEqual([])
    expect(await Promise.all([digests('h1'), digests('h2')])).toEqual(before)
  })

  test('one of them alone is refused: without hostMeta only the other can tell who leads', async () => {
    const from = await laptop('first')
    const before = await digests('h1')
    const alone = await converge(from, ['--limit', 'h1'])
    expect(alone.code, explain(alone)).toBe(5)
    expect(explain(alone)).toContain('E_ROLES')
    expect(await digests('h1')).toEqual(before)
  })
})

/** What a person did by hand, where, and the tasks that may be named for it: no others. */
interface Drift {
  readonly what: string
  readonly host: HostName
  readonly argv?: readonly string[]
  readonly sql?: string
  readonly named: readonly string[]
}

/** What is found and mended in one go: no step may tell of two of them. */
interface Drifts {
  /** The agents would mend it, and change the mode on the way: they are stopped. */
  readonly unattended?: boolean
  readonly drifts: readonly Drift[]
}

// oxfmt-ignore
const TOGETHER: readonly Drifts[] = [
  {
    drifts: [
      { what: "a unit's content edited", host: 'h1', argv: ['sed', '-i', 's/RestartSec=500ms/RestartSec=9s/', '/etc/systemd/system/kine.service'], named: ['kine has a unit', 'kine runs', 'kine starts anew'] },
      { what: 'a binary replaced', host: 'h2', argv: ['cp', '--remove-destination', '/bin/true', '/usr/local/bin/kine'], named: ['kine is installed', 'kine starts anew'] },
      { what: 'a k3s flag edited', host: 'h1', argv: ['sed', '-i', 's/node-monitor-period=5s/node-monitor-period=9s/', '/etc/rancher/k3s/config.yaml'], named: ['k3s is configured', 'k3s starts anew'] },
    ],
  },
  // Not with a change of programs: before the leader's turn that play waits for the follower's API.
  {
    drifts: [
      { what: 'a unit stopped', host: 'h2', argv: ['systemctl', 'stop', 'k3s.service'], named: ['k3s is told to run', 'k3s runs'] },
      { what: 'a unit masked', host: 'h2', argv: ['ln', '-sf', '/dev/null', '/etc/systemd/system/twonode-virtual-ip.service'], named: ['The virtual address has a unit', 'The leader brings the virtual address up at boot'] },
      { what: "a key's mode opened", host: 'h2', argv: ['chmod', '0644', '/etc/twonode/pki/k3s-token'], named: ['The token of the Kubernetes servers is on this host'] },
      { what: 'an hba line removed', host: 'h1', argv: ['sed', '-i', '/twonode_replication/d', '/etc/postgresql/15/main/pg_hba.conf'], named: ['The cluster is set up for replication with certificates'] },
      { what: 'the virtual IP removed', host: 'h1', argv: ['ip', 'address', 'flush', 'to', 'VIP/32', 'dev', 'eth0'], named: ['The virtual address is here'] },
    ],
  },
  {
    unattended: true,
    drifts: [
      { what: 'a setting changed', host: 'h1', sql: "alter system set synchronous_standby_names = ''", named: ['Every write waits for the follower'] },
      { what: 'the subscription disabled', host: 'h2', sql: 'alter subscription twonode disable', named: ['The follower subscribes to the leader'] },
    ],
  },
]

describe('drift', () => {
  let from: Laptop
  let lab: Lab

  beforeAll(async () => {
    const pair = await convergedPair()
    from = pair.from
    lab = pair.lab
  })

  test.each(TOGETHER.map((made) => [namesOf(made), made, causesOf(made)] as const))(
    'check names each of %s, and nothing else that does not depend on one of them, and converge mends them',
    async (_, { drifts, unattended = false }, causes) => {
      // An agent that has just been started converges once, and would mend it before it is looked for.
      await eventually('both agents are settled', () => standTogether(lab))
      if (unattended) await stopAgents()
      await Promise.all(drifts.map((drift) => make(drift, lab)))
      // What a person does who edits below /etc/systemd.
      for (const host of HOST_NAMES) await inHost(host, ['systemctl', 'daemon-reload'])
      const check = await converge(from, ['--check', '--diff'])
      // Mended before anything is judged: what is not named must not fail the others.
      await mustConverge(from)
      expect(check.code, explain(check)).toBe(10)
      const found = stepNames(check, 'would-change', 'unknown').filter(
        (name) => !unattended || !name.endsWith(': The agent runs'),
      )
      const foundCauses = found.map((name) => causes.get(name))
      expect({
        'drifts that no step names': drifts
          .map(({ what }) => what)
          .filter((what) => !foundCauses.includes(what)),
        'steps named without a drift': found.filter((name) => !causes.has(name)),
      }).toEqual({ 'drifts that no step names': [], 'steps named without a drift': [] })
      const after = await converge(from, ['--check'])
      expect(after.code, explain(after)).toBe(0)
    },
  )

  test('when all of it is mended a converge changes nothing', async () => {
    expect(changedCounts(await mustConverge(from))).toEqual({ h1: 0, h2: 0 })
  })
})

function namesOf({ drifts }: Drifts): string {
  return drifts.map(({ what, host }) => `${what} (${host})`).join(', ')
}

/** The drift that a step of this name tells of. Told of two, a step would pass for both. */
function causesOf({ drifts }: Drifts): ReadonlyMap<string, string> {
  const causes = new Map<string, string>()
  for (const { what, host, named } of drifts)
    for (const step of named.map((task) => `${host}: ${task}`)) {
      const other = causes.get(step)
      if (other !== undefined)
        throw new Error(`'${step}' would tell of '${other}' and of '${what}'`)
      causes.set(step, what)
    }
  return causes
}

async function make({ host, argv, sql }: Drift, { virtualIp }: Lab): Promise<void> {
  if (argv !== undefined)
    await inHost(
      host,
      argv.map((word) => word.replace('VIP', virtualIp)),
    )
  if (sql !== undefined) await psql(host, sql)
}
