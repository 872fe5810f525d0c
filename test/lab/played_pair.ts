import { expect } from 'vitest'
import type { Lab } from '../../lab/lab.ts'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'
import type { Json } from '../../src/core/json.ts'
import type { ForkPoint } from '../../src/core/site.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { Agents, type How, type LocalRun, registered } from './local_role.ts'
import { eventually, inHost, kubectl, psql } from './pair.ts'

export const other = (host: HostName): HostName => (host === 'h1' ? 'h2' : 'h1')

/** A pair whose agents are played: each method is what one of them does, from hostMeta to converge. */
export class PlayedPair {
  readonly agents: Agents
  readonly #lab: Lab

  constructor(lab: Lab) {
    this.#lab = lab
    this.agents = new Agents(lab)
  }

  /** The hosts' own agents end for good, and the test plays them. */
  async begin(): Promise<void> {
    for (const host of HOST_NAMES) {
      const units = ['twonode-guard.service', 'twonode-agent.service']
      await this.#lab.exec(host, ['systemctl', 'disable', '--now', '--quiet', ...units])
      // At a boot kine's reconciler would start an agent that is only disabled, and it would play along.
      const files = units.map((unit) => `/etc/systemd/system/${unit}`)
      await this.#lab.exec(host, ['rm', '-f', ...files])
      await this.#lab.exec(host, ['systemctl', 'daemon-reload'])
      await this.agents.install(host)
    }
  }

  /** hostMeta of a new branch, on this host alone. */
  async begins(leader: HostName, began: 'promotion' | 'handover', on = leader): Promise<HostMeta> {
    const { term } = await this.agents.meta(on)
    const branch = term + 1
    const slot = `${other(leader)}_${branch}_1`
    const mode = 'alone' as const
    return await this.agents.write(on, {
      term: branch,
      branch,
      leader,
      mode,
      slot,
      began,
      fork: null,
    })
  }

  /** A follower whose leader is gone leads. */
  async promote(host: HostName, more: How = {}): Promise<LocalRun> {
    await this.begins(host, 'promotion')
    const run = await this.agents.converge(host, 'role', more)
    await this.knowsFork(host, run)
    return run
  }

  /** The leader writes down what its marker says. */
  async knowsFork(host: HostName, run: LocalRun): Promise<void> {
    const fork = registered(run, 'The branch has its marker')['fork'] as ForkPoint | null
    if (fork === null) throw new Error(`${host} has no fork point`)
    await this.agents.write(host, { fork })
  }

  /** A host takes the other's hostMeta, and follows. */
  async adopt(host: HostName): Promise<LocalRun> {
    await this.agents.write(host, {}, other(host))
    return await this.agents.converge(host, 'role')
  }

  /** The leader takes a follower that is whole again into a pair. */
  async pair(leader: HostName): Promise<HostMeta> {
    await eventually('the copy is whole', async () => {
      const text = "select coalesce(bool_and(srsubstate = 'r'), false) from pg_subscription_rel"
      return (await psql(other(leader), text)) === 't' ? true : 'not yet'
    })
    await this.agents.converge(leader, 'pair')
    const { term } = await this.agents.meta(leader)
    const meta = await this.agents.write(leader, { term: term + 1, mode: 'paired' })
    await this.agents.write(other(leader), {}, leader)
    for (const host of HOST_NAMES) await this.agents.converge(host, 'role')
    return meta
  }

  /** The leader goes on without its follower. */
  async alone(leader: HostName): Promise<LocalRun> {
    const { term } = await this.agents.meta(leader)
    await this.agents.write(leader, { term: term + 1, mode: 'alone' })
    return await this.agents.converge(leader, 'alone', { warm: true })
  }

  /** The same rows on both hosts, once what is under way has arrived. */
  async sameContent(): Promise<void> {
    const digest = async (host: HostName): Promise<Json | undefined> =>
      registered(await this.agents.converge(host, 'digest'), "A number for the table's content")[
        'digest'
      ]
    await eventually('both tables are the same', async () => {
      const [one, two] = await Promise.all(HOST_NAMES.map(digest))
      return one === two ? true : `${JSON.stringify(one)} and ${JSON.stringify(two)}`
    })
  }

  /** Whose power goes now had nothing on its way: a commit that waits is on one disk only (A1). */
  async atRest(leader: HostName): Promise<void> {
    for (const host of HOST_NAMES)
      await inHost(host, ['systemctl', 'kill', '--signal=STOP', 'kine.service'])
    await eventually('no commit waits', async () => {
      const text = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
      const waiting = await psql(leader, text)
      return waiting === '0' ? true : `${waiting} wait`
    })
  }

  /** The end of {@link atRest} on the host that is left. */
  async goesOn(host: HostName): Promise<void> {
    await inHost(host, ['systemctl', 'kill', '--signal=CONT', 'kine.service'])
  }

  /** Without power, and with kine and k3s kept from the next boot: the reconciler's part. */
  async powerOff(host: HostName): Promise<void> {
    const units = ['kine.service', 'k3s.service', 'twonode-virtual-ip.service']
    await inHost(host, ['systemctl', 'disable', '--quiet', ...units])
    await this.#lab.powerOff(host)
  }

  async powerOn(host: HostName): Promise<void> {
    await this.#lab.powerOn(host)
    await this.agents.install(host)
    await eventually(`PostgreSQL of ${host} answers`, async () =>
      (await psql(host, 'select true')) === 't' ? true : 'no',
    )
  }
}

/** What holds after every promotion: ids only rise, and each key's history is one line. */
export async function expectInvariants(host: HostName): Promise<void> {
  const text = `select (select last_value from kine_id_seq) >= (select max(id) from kine),
    not exists (select from kine where prev_revision >= id and name <> 'compact_rev_key'),
    not exists (select from kine group by name, prev_revision having count(*) > 1)`
  expect(await psql(host, text)).toBe('t|t|t')
}

/** A write through the API server of a host, which takes some seconds to find its datastore again. */
export async function writesThrough(host: HostName, name: string): Promise<void> {
  await eventually(`the API server of ${host} takes ${name}`, async () => {
    await kubectl(host, ['create', 'configmap', name])
    return true
  })
  await eventually(`the API server of ${host} has ${name}`, async () => {
    const found = await kubectl(host, ['get', 'configmap', name, '-o', 'name'])
    return found === `configmap/${name}` ? true : found
  })
}

/** Schemas of tables that gave way to a copy. */
export async function keptSchemas(host: HostName): Promise<string> {
  const text =
    "select string_agg(nspname, ',' order by oid) from pg_namespace where nspname like 'twonode\\_branch\\_%'"
  return await psql(host, text)
}
