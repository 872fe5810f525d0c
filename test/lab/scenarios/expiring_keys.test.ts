import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { KubeApi } from '../../../lab/kube_api.ts'
import type { HostName } from '../../../lab/names.ts'
import { makeLaptop } from '../../../lab/twonode_process.ts'
import { slowestEvent } from '../../../lab/writer_log.ts'
import { adminCredentials } from '../../../lab/writer_process.ts'
import { convergedPair, mustConverge, psql } from '../pair.ts'
import { onThePair } from '../scenario.ts'

/** @unit milliseconds */
const LOAD_MS = 120_000
const SLOWEST_WATCH_MS = 5_000

/** Some ten events a second by each API server, more than a shop has in a minute. @unit milliseconds */
const WRITE_EVERY_MS = 90

/**
 * Both kines expire the same leased keys, race to delete them, and the losers burn ids, which stalled
 * watches for good.
 * @source https://github.com/k3s-io/kine/issues/754
 */
test('two kines that expire the same keys for two minutes stall no watch', async () => {
  const { lab } = await convergedPair()
  const config = { 'kube-apiserver-arg+': ['event-ttl=4s'] }
  await mustConverge(await makeLaptop(lab, 'expiring', { k3s: { config } }))
  const scenario = await onThePair()
  const writers = [await scenario.writer('h1'), await scenario.writer('h2')]
  const credentials = await adminCredentials(lab, 'h1')
  const until = Date.now() + LOAD_MS
  const made = { h1: 0, h2: 0 }
  const load = async (host: HostName): Promise<void> => {
    const address = lab.hosts[host].address
    const api = new KubeApi({ ...credentials, address, timeoutMs: 5_000 })
    while (Date.now() < until) {
      const answer = await api.send('POST', '/api/v1/namespaces/default/events', event())
      if (answer.status === 201) made[host] += 1
      await pause(WRITE_EVERY_MS)
    }
    api.close()
  }
  await scenario.act('events are written through both API servers', () =>
    Promise.all([load('h1'), load('h2')]),
  )
  expect(Math.min(made.h1, made.h2), JSON.stringify(made)).toBeGreaterThan(500)
  await scenario.poll(
    'all of them to expire',
    async () =>
      (await psql(
        'h1',
        `select count(*) from kine k where name like '/registry/events/default/load-%' and deleted = 0
         and not exists (select from kine n where n.name = k.name and n.id > k.id)`,
      )) === '0',
    60_000,
  )
  // Fill rows stand for the ids that the losers burned: the race took place.
  const burned = await psql('h1', "select count(*) from kine where name like 'gap-%'")
  expect(Number(burned)).toBeGreaterThan(100)
  await scenario.writing(5_000)
  const problems = await scenario.end('h1', ['h1', 'h2'])
  expect(problems).toEqual([])
  for (const writer of writers)
    expect(slowestEvent(writer.log()), writer.name).toBeLessThan(SLOWEST_WATCH_MS)
})

function event(): object {
  const involvedObject = { kind: 'ConfigMap', name: 'nobody', namespace: 'default' }
  const now = new Date().toISOString()
  return {
    metadata: { generateName: 'load-', namespace: 'default' },
    involvedObject,
    reason: 'Load',
    type: 'Normal',
    firstTimestamp: now.replace(/\.\d+Z/, 'Z'),
    lastTimestamp: now.replace(/\.\d+Z/, 'Z'),
  }
}
