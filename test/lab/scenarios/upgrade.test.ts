import { expect, test } from 'vitest'
import { NEWER_KINE, withNewerKine } from '../../../lab/newer_kine.ts'
import { NEWER_MARK, offerNewerPackages, OWN_SETTING } from '../../../lab/newer_packages.ts'
import { withNewerTwonode } from '../../../lab/newer_twonode.ts'
import { agentStatus, decisions } from '../../../lab/pair_view.ts'
import {
  explain,
  finished,
  killGroup,
  startTwonode,
  type Laptop,
} from '../../../lab/twonode_process.ts'
import { longestGap } from '../../../lab/writer_log.ts'
import type { HostName } from '../../../lab/names.ts'
import { inHost } from '../pair.ts'
import { onThePair, startScenario } from '../scenario.ts'

/** @unit milliseconds */
const UPGRADE_MS = 15 * 60_000
const PAIRED_MS = 90_000

/** A hand-over takes a second or two, also on a busy machine less than this; a leader that boots takes longer. @unit milliseconds */
const STALL_MS = 10_000

async function upgrade(from: Laptop, ...more: readonly string[]) {
  const argv = ['upgrade', '-i', from.inventory, '--json', ...more]
  const { code, stdout, stderr } = await finished(startTwonode(from, argv), UPGRADE_MS)
  return { code, said: `${stdout}\n${stderr}` }
}

test('28: kine, all packages and a boot of both hosts cost one hand-over, the follower had its turn first, and a run whose laptop dies half-way is gone on with', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const laptop = await withNewerKine(lab, scenario.from)
  await offerNewerPackages(lab)
  const wrong = await upgrade(laptop, '--kine', 'v98.0.0')
  expect(wrong).toMatchObject({ code: 2, said: expect.stringContaining('inventory has v99.0.0') })
  const wanted = ['--kine', NEWER_KINE, '--packages', '--reboot']
  const check = await upgrade(laptop, ...wanted, '--check')
  expect(check.code, check.said).toBe(10)
  const boots = await bootsOf()

  const beganAt = Date.now()
  const writer = await scenario.writer('virtualIp')
  await scenario.act('the laptop dies when h2 has its packages', () => dies(laptop, wanted))
  const { code, said } = await upgrade(laptop, ...wanted)
  expect(code, said).toBe(0)
  expect(said, 'h2 has its kine and packages').not.toMatch(/h2 follows: (kine|packages)/)
  expect(said.indexOf('h2 is done')).toBeGreaterThan(0)
  expect(said.indexOf('h2 is done')).toBeLessThan(said.indexOf('h1 is done'))
  await scenario.paired('h2', PAIRED_MS)
  expect(longestGap(writer.log())?.ms, scenario.timeline()).toBeLessThan(STALL_MS)
  const moves = decisions(lab, beganAt).filter(({ record }) =>
    ['hand-over', 'promote'].includes(String(record['goal'])),
  )
  expect(new Set(moves.map(({ record }) => record['rule']))).toEqual(new Set(['switchover']))

  expect(await kineOf('h1')).toBe(await kineOf('h2'))
  const after = await bootsOf()
  for (const host of ['h1', 'h2'] as const) {
    expect(after[host]).not.toBe(boots[host])
    const packages = await inHost(host, ['dpkg-query', '-W', 'netbase', 'postgresql-15'])
    expect(packages.split('\n').map((line) => line.endsWith(NEWER_MARK))).toEqual([true, true])
    expect(await inHost(host, ['cat', '/etc/protocols']), 'its own').toContain(OWN_SETTING)
    expect(await inHost(host, ['/usr/local/bin/twonode', 'status'])).toMatch(
      /^paused +this host: no/m,
    )
  }
  const again = await upgrade(laptop, ...wanted)
  expect(again, 'nothing is left to do').toMatchObject({ code: 0 })
  expect(again.said).not.toMatch(/h[12] is done/)
  expect(await scenario.end('h2', [])).toEqual([])
})

test('36: in the middle of an upgrade, with another twonode and another kine on either host, both agents agree, and the one takes over from the other', async () => {
  const scenario = await onThePair()
  const { from, lab } = scenario
  const env = withNewerTwonode(from)
  await scenario.writer('h1')
  // Its inventory still has the kine from before.
  await scenario.act('h1 gets another twonode and the older kine', () =>
    converges(from, ['--limit', 'h1'], env),
  )
  await scenario.paired('h2', PAIRED_MS)
  await scenario.poll(
    'agents of two builds that hear each other',
    async () => {
      const [h1, h2] = await Promise.all([agentStatus(lab, 'h1'), agentStatus(lab, 'h2')])
      const hear = h1['peer'] === 'answers' && h2['peer'] === 'answers'
      return hear && h1['bundle'] !== h2['bundle'] && h1['siteReplaced'] === false
    },
    PAIRED_MS,
  )
  const kines = [await kineOf('h1'), await kineOf('h2')]
  expect(new Set(kines).size).toBe(2)

  await scenario.act('h2, which leads, loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], PAIRED_MS)
  await scenario.writing(PAIRED_MS)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', PAIRED_MS)
  await scenario.sameTables('h1', PAIRED_MS)
  expect(await scenario.end('h1', [])).toEqual([])
})

async function converges(
  from: Laptop,
  args: readonly string[],
  env: Record<string, string>,
): Promise<void> {
  const argv = ['converge', '-i', from.inventory, '--json', ...args]
  const run = await finished(startTwonode(from, argv, env))
  expect(run.code, explain(run)).toBe(0)
}

async function kineOf(host: HostName): Promise<string> {
  return await inHost(host, ['sha256sum', '/usr/local/bin/kine'])
}

/** An upgrade whose process is killed when the follower has its packages, and is not yet told to boot. */
async function dies(from: Laptop, wanted: readonly string[]): Promise<void> {
  const child = startTwonode(from, ['upgrade', '-i', from.inventory, '--json', ...wanted])
  let said = ''
  child.stdout?.on('data', (text: string | Buffer) => {
    said += text.toString()
    if (/"h2: reboot"/.test(said)) killGroup(child)
  })
  const { code, stderr } = await finished(child, UPGRADE_MS)
  expect(code, `${said}\n${stderr}`).not.toBe(0)
  expect(said).toContain('h2: reboot')
}

async function bootsOf(): Promise<Record<HostName, string>> {
  return { h1: await bootOf('h1'), h2: await bootOf('h2') }
}

async function bootOf(host: HostName): Promise<string> {
  return await inHost(host, ['cat', '/proc/sys/kernel/random/boot_id'])
}
