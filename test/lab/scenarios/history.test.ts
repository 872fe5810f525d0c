import { expect, test } from 'vitest'
import { isLinearizable, startRecorder } from '../../../lab/history_recorder.ts'
import { historyTrial } from '../../../lab/history_trial.ts'
import { metaOf } from '../../../lab/pair_view.ts'
import { adminCredentials } from '../../../lab/writer_process.ts'
import { healthy, laptop } from '../pair.ts'
import { startScenario } from '../scenario.ts'

test("38: compare-and-swaps on one object, by a client at each host's API server, are linearizable over a dead leader, a hand-over and a crash of PostgreSQL", async () => {
  const { lab } = await startScenario()
  const credentials = await adminCredentials(lab, 'h1')
  const recorder = await startRecorder(lab, { name: 'history', credentials })
  try {
    for (const fault of [
      'power of the leader',
      'PostgreSQL of the leader killed',
      'switchover',
    ] as const) {
      const leader = metaOf(lab, 'h1')?.leader === 'h1' ? 'h1' : 'h2'
      await historyTrial(lab, { fault, leader, recorder })
      await healthy(await laptop('first'))
    }
  } finally {
    await recorder.stop()
  }
  const { swaps } = recorder
  const clients = new Set(
    swaps.flatMap(({ client, outcome }) => (outcome === 'ok' ? [client] : [])),
  )
  expect(clients).toEqual(new Set([0, 1]))
  expect(await isLinearizable(swaps)).toBe(true)
})

test('38: a history in which two swaps of one value were acknowledged is found out', async () => {
  const ok = { kind: 'cas', outcome: 'ok' } as const
  const first = { ...ok, client: 0, base: 0, value: 1, call: 0, return: 5 }
  const next = { ...ok, client: 1, base: 1, value: 2, call: 6, return: 9 }
  expect(await isLinearizable([first, next])).toBe(true)
  expect(await isLinearizable([first, { ...next, base: 0 }])).toBe(false)
  // It may have come to be after the answer was given up, and never before it was asked for.
  const lost = { ...next, outcome: 'unknown' } as const
  const last = { ...ok, client: 0, base: 2, value: 3, call: 20, return: 21 }
  expect(await isLinearizable([first, lost, last])).toBe(true)
  expect(await isLinearizable([first, { ...lost, call: 30, return: 31 }, last])).toBe(false)
})
