import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { agentStatus, metaOf } from '../../../lab/pair_view.ts'
import { HOST_NAMES, peerOf } from '../../../lab/names.ts'
import { finished, startTwonode } from '../../../lab/twonode_process.ts'
import { endWitnesses, labWitness, type LabWitness, TOKEN } from '../../../lab/witness.ts'
import { firstAckAfter, lastAck } from '../../../lab/writer_log.ts'
import { HttpWitness } from '../../../src/witness/http.ts'
import { pairMeta } from '../../support/agent_sightings.ts'
import { mustConverge } from '../pair.ts'
import { onTheHealedPair, onThePair, type Scenario, startScenario } from '../scenario.ts'
import { racerOn } from '../claim_racer.ts'

/** @unit milliseconds */
const FAILOVER_MS = 20_000
const RETURN_MS = 90_000

/** What must not happen is looked at for longer than it would take. @unit milliseconds */
const STANDS_MS = 8_000

let witness: LabWitness

afterAll(endWitnesses)

/** The pair of the suite, with partition: consistency. */
async function witnessedPair(): Promise<Scenario> {
  const scenario = await startScenario()
  const { lab, from } = scenario
  witness = await labWitness(lab, { token: true })
  await witness.start()
  writeFileSync(join(from.home, 'token'), TOKEN)
  const site = parse(readFileSync(from.inventory, 'utf8')) as Record<string, unknown>
  const { url, ca } = witness
  const http = { url, ca, token: 'TOKEN' }
  const text = stringify({ ...site, partition: 'consistency', witness: { http } })
  writeFileSync(from.inventory, text.replace('token: TOKEN', 'token: !secret { file: token }'))
  await mustConverge(from)
  return scenario
}

const keeps = (scenario: Scenario) => {
  const { term = 0, mode = '', holder = '' } = witness.kept(scenario.lab.name) ?? {}
  return `${term} ${mode} ${holder}`
}

test('41, 9: under consistency a witness that is down disturbs no pair; at a cut nobody goes on until it answers, and then one of the two, by the claim; when the link is back nothing is lost (A4)', async () => {
  const scenario = await witnessedPair()
  const { lab, from } = scenario
  const trueClaim = () => {
    const { term, leader } = metaOf(lab, 'h1') ?? {}
    return keeps(scenario) === `${term} paired ${leader}`
  }
  await scenario.poll('the pair to make its claim', trueClaim, RETURN_MS)
  const writers = [await scenario.writer('h1', 'h1'), await scenario.writer('h2', 'h2')]
  const { term } = metaOf(lab, 'h1') ?? {}

  await scenario.act('the witness is stopped', () => witness.stop())
  const silent = async () => (await agentStatus(lab, 'h1'))?.['witness'] === 'silent'
  await scenario.poll('status to say so', silent, 2 * RETURN_MS)
  const verified = await finished(startTwonode(from, ['verify', '-i', from.inventory]))
  expect(verified.stdout).toContain('the witness gives this host no answer')
  await scenario.writing(FAILOVER_MS)
  expect(metaOf(lab, 'h1')?.term).toBe(term)

  const cutAt = await scenario.act('the link is cut', () => lab.cut('h1', { from: 'peer' }))
  await scenario.holds(
    'nobody goes on alone',
    () => HOST_NAMES.every((host) => metaOf(lab, host)?.mode === 'paired'),
    STANDS_MS,
  )
  // What was under way at the cut may be answered a moment later.
  for (const writer of writers) expect(lastAck(writer.log())).toBeLessThan(cutAt + 1_500)
  const startedAt = await scenario.act('the witness is started', () => witness.start())
  const leads = () => HOST_NAMES.find((host) => metaOf(lab, host)?.mode === 'alone')
  await scenario.poll('one to win the claim', () => leads() !== undefined, FAILOVER_MS)
  const winner = leads() ?? 'h1'
  await scenario.poll(
    'the winner to take writes',
    () => firstAckAfter(of(winner).log(), startedAt) !== undefined,
    FAILOVER_MS,
  )
  expect(keeps(scenario)).toBe(`${metaOf(lab, winner)?.term} alone ${winner}`)
  await scenario.holds(
    'the other one does not',
    () => metaOf(lab, peerOf(winner))?.mode === 'paired',
    STANDS_MS,
  )
  expect(firstAckAfter(of(peerOf(winner)).log(), startedAt)).toBeUndefined()

  await scenario.act('the link is there again', () => lab.heal())
  await scenario.paired(winner, RETURN_MS)
  await scenario.poll('the claim to be true', trueClaim, FAILOVER_MS)
  expect(await scenario.end(winner, [])).toEqual([])

  function of(host: (typeof HOST_NAMES)[number]) {
    const found = writers[HOST_NAMES.indexOf(host)]
    if (found === undefined) throw new Error(`no writer on ${host}`)
    return found
  }
})

test('19, A5: both lose their power, and only the leader comes back: the claim that it wins ends its wait; its follower follows when it is there', async () => {
  const scenario = await onTheHealedPair()
  const { lab } = scenario
  const leader = HOST_NAMES.find((host) => metaOf(lab, host)?.leader === host) ?? 'h1'
  const branch = metaOf(lab, leader)?.branch ?? 1
  const writer = await scenario.writer(leader)
  await scenario.act('both lose their power', () =>
    Promise.all(HOST_NAMES.map((host) => lab.powerOff(host))),
  )
  const offAt = Date.now()
  await scenario.act('the leader has power again', () => lab.powerOn(leader))
  await scenario.until({ leader, mode: 'alone', branch }, [leader], RETURN_MS)
  await scenario.poll(
    'it takes writes',
    () => firstAckAfter(writer.log(), offAt + 1_000) !== undefined,
    RETURN_MS,
  )
  await scenario.act('the other one has power again', () => lab.powerOn(peerOf(leader)))
  await scenario.paired(leader, RETURN_MS)
  expect(metaOf(lab, leader)?.branch).toBe(branch)
  expect(await scenario.end(leader, [])).toEqual([])
})

/** The pair is not asked any more: what is lost on its links is its own affair. */
test('the claim is raced 20 times by both hosts over a link that loses and delays, with answers that come too late: never two win, and one has (A4)', async () => {
  const { lab } = await onThePair()
  const server = await labWitness(lab, { token: false })
  await server.start()
  const url = server.url.replace('{site}', 'race')
  const { ca } = server
  const starter = new HttpWitness({ url, ca, token: null, timeoutMs: 10_000 }, 'race')
  const racers = HOST_NAMES.map((host) => racerOn(lab, host))
  const seen = new Map<string, number>()
  for (const host of HOST_NAMES) {
    await lab.delay(host, 10)
    await lab.loss(host, 5)
  }
  for (let race = 1; race <= 20; race++) {
    const meta = pairMeta({ site: 'race', term: race * 10 })
    const first = {
      format: 1,
      site: 'race',
      term: meta.term,
      holder: 'h1',
      mode: 'paired',
    } as const
    const before = await starter.read()
    const version = before.kind === 'claim' ? before.version : null
    expect(await starter.swap({ ...first, nonce: `race-${race}` }, version)).toEqual({
      kind: 'written',
    })
    const answers = await Promise.all(
      racers.map((run, index) =>
        run({ self: HOST_NAMES[index] ?? '', site: 'race', url, ca, timeoutMs: 300, meta }),
      ),
    )
    const kept = server.kept('race')
    const winner = HOST_NAMES[answers.indexOf(`won ${kept?.term}`)]
    expect(answers.toSorted(), `race ${race}`).toEqual(['refused', `won ${kept?.term}`])
    expect(kept?.holder, `race ${race}`).toBe(winner)
    seen.set(winner ?? '', (seen.get(winner ?? '') ?? 0) + 1)
  }
  await server.stop()
  expect([...seen.keys()].toSorted()).toEqual(['h1', 'h2'])
})
