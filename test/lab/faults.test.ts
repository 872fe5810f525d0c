import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { statfs } from 'node:fs/promises'
import type { Lab } from '../../lab/lab.ts'
import type { HostName } from '../../lab/names.ts'
import { bareHosts, convergedPair, eventually, inHost } from './pair.ts'

let lab: Lab

/** What came back of some pings, by their numbers. */
async function ping(
  from: HostName,
  to: string,
  count = 3,
): Promise<{ seen: number[]; ms: number }> {
  const argv = ['ping', '-n', '-c', String(count), '-i', '0.02', '-W', '1', to]
  const { stdout } = await lab.exec(from, argv)
  const seen = [...stdout.matchAll(/icmp_seq=(\d+) .*time=/g)].map(([, n]) => Number(n))
  return { seen, ms: Number(/time=([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN) }
}

/** How many echo requests a host's kernel has taken in. */
async function echoesIn(host: HostName): Promise<number> {
  const [names, values] = (await inHost(host, ['cat', '/proc/net/snmp']))
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '))
  return Number(values?.[names?.indexOf('InEchos') ?? -1])
}

/** How far the ticking unit's clock is ahead of the machine's. @unit minutes */
async function minutesAhead(): Promise<number> {
  const now = Number(await inHost('h1', ['cat', '/var/tmp/now']))
  return Math.round((now - Date.now() / 1000) / 60)
}

describe('between bare hosts', () => {
  beforeAll(async () => {
    lab = await bareHosts()
    // Each knows where the other is: a cut that stops what answers ARP shows only later otherwise.
    await ping('h1', lab.hosts.h2.address)
    await ping('h2', lab.hosts.h1.address)
  })

  afterEach(() => lab.heal())

  test('a one-way cut loses what the host sends, and what it is sent arrives', async () => {
    await lab.cut('h1', { from: 'peer', oneWay: true })
    const before = await echoesIn('h1')
    expect((await ping('h2', lab.hosts.h1.address)).seen).toEqual([])
    expect(await echoesIn('h1')).toBe(before + 3)
    const unheard = await echoesIn('h2')
    expect((await ping('h1', lab.hosts.h2.address)).seen).toEqual([])
    expect(await echoesIn('h2')).toBe(unheard)
    expect((await ping('h1', lab.gateway)).seen).toHaveLength(3)
  })

  test('a cut from the peer, and one from the gateway, leave the other path alone', async () => {
    await lab.cut('h1', { from: 'peer' })
    expect((await ping('h1', lab.hosts.h2.address)).seen).toEqual([])
    expect((await ping('h1', lab.gateway)).seen).toHaveLength(3)
    await lab.heal()
    await lab.cut('h1', { from: 'gateway' })
    expect((await ping('h1', lab.gateway)).seen).toEqual([])
    expect((await ping('h1', lab.hosts.h2.address)).seen).toHaveLength(3)
    expect((await ping('h2', lab.gateway)).seen).toHaveLength(3)
  })

  test('loss takes its share, the same packets for the same seed, and goes with delay', async () => {
    await lab.loss('h1', 30, 7)
    const first = (await ping('h2', lab.hosts.h1.address, 100)).seen
    expect(first.length).toBeGreaterThan(50)
    expect(first.length).toBeLessThan(90)
    await lab.loss('h1', 30, 7)
    expect((await ping('h2', lab.hosts.h1.address, 100)).seen).toEqual(first)
    await lab.delay('h1', 60)
    const late = await ping('h2', lab.hosts.h1.address, 20)
    expect(late.ms).toBeGreaterThanOrEqual(60)
    expect(late.seen.length).toBeLessThan(20)
    await lab.loss('h1', 0)
    expect((await ping('h2', lab.hosts.h1.address, 20)).seen).toHaveLength(20)
  })

  test('a frozen host answers pings and nothing else, and goes on where it stood', async () => {
    await lab.freeze('h1')
    expect((await ping('h2', lab.hosts.h1.address)).seen).toHaveLength(3)
    expect((await lab.status()).hosts.h1).toMatchObject({ power: 'on', ssh: false })
    await lab.thaw('h1')
    expect((await lab.status()).hosts.h1).toMatchObject({ ssh: true })
  })

  test("a unit's wall clock jumps while it runs, forward and back, and time since boot does not", async () => {
    const script =
      'while :; do date +%%s > /var/tmp/now.new; mv /var/tmp/now.new /var/tmp/now; sleep 0.2; done'
    const unit = `[Service]\nExecStart=/bin/sh -c '${script}'\n`
    await inHost('h1', ['systemctl', 'stop', 'ticker.service']).catch(() => undefined)
    await lab.exec('h1', ['tee', '/etc/systemd/system/ticker.service'], { stdin: unit })
    await lab.fakeClock('h1', 'ticker.service', 0)
    const first = await inHost('h1', ['systemctl', 'show', '-P', 'MainPID', 'ticker.service'])
    const upAt = Number((await inHost('h1', ['cat', '/proc/uptime'])).split(' ')[0])
    for (const minutes of [60, -1440, 0]) {
      await lab.fakeClock('h1', 'ticker.service', minutes * 60)
      await eventually(`the clock ${minutes} minutes ahead`, async () => {
        const seen = await minutesAhead()
        return seen === minutes ? true : `${seen} minutes ahead`
      })
    }
    const same = await inHost('h1', ['systemctl', 'show', '-P', 'MainPID', 'ticker.service'])
    expect(same).toBe(first)
    const upFor = Number((await inHost('h1', ['cat', '/proc/uptime'])).split(' ')[0]) - upAt
    expect(upFor).toBeLessThan(60)
  })

  test("a small disk can be filled and emptied, the machine's own never", async () => {
    await expect(lab.fillDisk('h1')).rejects.toThrow(/never filled/)
    await lab.reset(undefined, { smallDisks: true })
    const before = await statfs(lab.directory)
    await lab.fillDisk('h1')
    const write = ['dd', 'if=/dev/zero', 'of=/var/lib/much', 'bs=1M', 'count=8']
    const refused = await lab.exec('h1', write)
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toContain('No space left on device')
    await inHost('h2', write)
    await lab.heal()
    await inHost('h1', write)
    const after = await statfs(lab.directory)
    expect((before.bfree - after.bfree) * after.bsize).toBeLessThan(1024 ** 3)
    await lab.reset()
  })
})

describe('on a pair', () => {
  beforeAll(async () => {
    ;({ lab } = await convergedPair())
  })

  test("a unit's processes are killed by their ids, all of them or the first one", async () => {
    expect(lab.signalUnit('h2', 'nothing.service')).toBe(0)
    expect(lab.signalUnit('h2', 'k3s.service', { signal: 'SIGCONT' })).toBe(4)
    expect(lab.signalUnit('h2', 'kine.service', { mainOnly: true })).toBe(1)
    await eventually('kine is started again', async () => {
      const count = await inHost('h2', ['systemctl', 'show', '-P', 'NRestarts', 'kine.service'])
      return Number(count) >= 1 ? true : `${count} restarts`
    })
  })

  test('a PostgreSQL that is broken is down and stays down, with its data, until it is mended', async () => {
    const unit = 'postgresql@15-main.service'
    const start = (): ReturnType<Lab['exec']> => lab.exec('h2', ['systemctl', 'start', unit])
    await lab.breakPostgres('h2')
    await eventually('PostgreSQL is down', async () => {
      const { code } = await lab.exec('h2', ['pg_lsclusters', '--no-header'])
      const active = await lab.exec('h2', ['systemctl', 'is-active', unit])
      return code === 0 && active.stdout.trim() !== 'active' ? true : active.stdout.trim()
    })
    expect((await start()).code).not.toBe(0)
    await lab.heal()
    expect((await start()).code).toBe(0)
  })
})
