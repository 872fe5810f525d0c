import { beforeAll, expect, test } from 'vitest'
import { HOST_NAMES, type HostName } from '../../lab/names.ts'
import { describeRun } from './local_role.ts'
import { convergedPair, eventually, inHost, psql, theLab } from './pair.ts'
import { expectInvariants, other, PlayedPair } from './played_pair.ts'

const POSTGRES = 'postgresql@15-main.service'

/** More changes than a promotion or a return has. */
const MOST_CHANGES = 40

let pair: PlayedPair

beforeAll(async () => {
  const { lab } = await convergedPair()
  pair = new PlayedPair(lab)
  await pair.begin()
  for (const host of HOST_NAMES) await idleKubernetes(host)
})

/**
 * Nothing here asks Kubernetes for anything, and two dozen starts of it on each host took longer than
 * all that is tried. Its unit is started and stopped as ever; what replicates is written by the test.
 */
async function idleKubernetes(host: HostName): Promise<void> {
  await inHost(host, ['systemctl', 'stop', 'k3s.service'])
  const folder = '/etc/systemd/system/k3s.service.d'
  await inHost(host, ['mkdir', '-p', folder])
  const text = '[Service]\nType=exec\nExecStart=\nExecStart=/bin/sleep infinity\n'
  const lab = await theLab()
  const written = await lab.exec(host, ['dd', `of=${folder}/idle.conf`], { stdin: text })
  expect(written.code, written.stderr).toBe(0)
  await inHost(host, ['systemctl', 'daemon-reload'])
}

/** A row that a client of this leader makes: it is acknowledged when the follower has it. */
async function writes(leader: HostName, name: string): Promise<void> {
  const text = `insert into kine (name, created, deleted, create_revision, prev_revision, lease, value)
    values ('/cut/${name}', 1, 0, 0, 0, 0, '')`
  await psql(leader, text)
}

/** Its server is killed; both kines stood still, so that it has nothing that its follower lacks. */
async function crash(host: HostName): Promise<void> {
  for (const one of HOST_NAMES)
    await inHost(one, ['systemctl', 'stop', 'k3s.service', 'kine.service'])
  await inHost(host, ['systemctl', 'kill', '--signal=SIGKILL', POSTGRES])
}

async function rises(host: HostName): Promise<void> {
  await eventually(`PostgreSQL of ${host} is back`, async () => {
    await inHost(host, ['systemctl', 'start', POSTGRES])
    return (await psql(host, 'select true')) === 't' ? true : 'not yet'
  })
}

/** The run that was killed, and one after it, which leaves nothing to do. True if it was killed at all. */
async function cutAndAgain(host: HostName, cutAt: number) {
  const cut = await pair.agents.try(host, 'role', { cutAt })
  const again = await pair.agents.converge(host, 'role', { again: true })
  const changed = again.steps.filter(({ status }) => status === 'changed')
  expect(changed, `cut at ${cutAt}: ${describeRun(again)}`).toEqual([])
  return { wasCut: cut.exitCode === -1, again }
}

test('A6, B4: promotion and return, killed before each of their changes, are finished by the next run', async () => {
  let leader: HostName = 'h1'
  let cuts = 0
  for (let cutAt = 1; cutAt <= MOST_CHANGES; cutAt += 1) {
    const successor = other(leader)
    await writes(leader, `before-${cutAt}`)
    await crash(leader)
    const { branch } = await pair.begins(successor, 'promotion')
    const promotion = await cutAndAgain(successor, cutAt)
    await pair.knowsFork(successor, promotion.again)
    await expectInvariants(successor)
    const markers = `select count(*) from kine where name = 'twonode/branch/${branch}'`
    expect(await psql(successor, markers)).toBe('1')
    await rises(leader)
    await pair.agents.write(leader, {}, successor)
    const back = await cutAndAgain(leader, cutAt)
    // Cut or not: what was never written needs no copy.
    expect(await psql(leader, COPIED)).toBe('0')
    await pairAgain(successor)
    leader = successor
    if (!promotion.wasCut && !back.wasCut) break
    cuts += 1
  }
  expect(cuts).toBeGreaterThan(10)
  expect(cuts).toBeLessThan(MOST_CHANGES)
  await pair.sameContent()
})

/** As the agents would, once both are settled. */
async function pairAgain(leader: HostName): Promise<void> {
  await pair.agents.converge(leader, 'pair')
  const { term } = await pair.agents.meta(leader)
  await pair.agents.write(leader, { term: term + 1, mode: 'paired' })
  await pair.agents.write(other(leader), {}, leader)
}

/** Tables that gave way to a copy. */
const COPIED = "select count(*) from pg_namespace where nspname like 'twonode\\_branch\\_%'"
