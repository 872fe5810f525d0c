import { expect, test } from 'vitest'
import { answers, GATEWAY_UP, leading, pairMeta, SILENT } from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { leader } from '../support/settled_agents.ts'

const MB = 1024 * 1024
const ALONE = pairMeta({ mode: 'alone', term: 3 })

const free = (mb: number) => ({ disk: { writable: true, freeBytes: mb * MB } })

/** Nobody reads the follower's slot, and so much is kept for it. */
const unread = (mb: number) =>
  leading({ slot: 'idle', streaming: false, flushedBytes: null, keptBytes: mb * MB })

const roomsOf = (host: Awaited<ReturnType<typeof leader>>) =>
  host.notes.flatMap((note) => (note.kind === 'room' ? [note.room] : []))

test('30: a leader that is alone lets its follower go before its disk is full, and tells of each threshold once', async () => {
  const host = await leader({ meta: ALONE })
  const away = { ...GATEWAY_UP, ...SILENT }
  await host.rounds(3, { ...away, ...unread(900), ...free(200) })
  expect(host.log).toEqual([])
  await host.rounds(3, { ...away, ...unread(900), ...free(120) })
  expect(host.log).toEqual(['meta 4/1 alone h1 -', 'converge role urgent'])
  await host.rounds(3, { ...away, ...leading({ slot: 'missing', streaming: false }), ...free(900) })
  expect(roomsOf(host)).toEqual(['low', 'tight', 'ok'])
  expect(host.log).toHaveLength(2)
})

test('B3: one that was let go gets a slot of a name of its own when there is room and it is back, and copies', async () => {
  const meta = pairMeta({ mode: 'alone', term: 7, slot: null })
  const host = await leader({ meta })
  const back = { ...GATEWAY_UP, ...answers({ meta, proofTerm: null }) }
  const none = leading({ slot: 'missing', streaming: false, flushedBytes: null })
  await host.rounds(3, { ...back, ...none, ...free(120) })
  expect(host.log, 'while the disk is almost full').toEqual([])
  await host.rounds(1, { ...back, ...none, ...free(300) })
  expect(host.log).toEqual(['meta 8/1 alone h1 h2_1_8', 'converge role'])
})

test('a slot that keeps little is not given up: the disk would gain nothing by it', async () => {
  const host = await leader({ meta: ALONE })
  await host.rounds(3, { ...GATEWAY_UP, ...SILENT, ...unread(10), ...free(120) })
  expect(host.log).toEqual([])
})

test('a pair keeps its follower, whose slot is read: what fills the disk is something else', async () => {
  const host = await leader()
  const { meta } = host.disk
  host.converges = { role: () => DONE }
  const seen = { ...GATEWAY_UP, ...answers({ meta, proofTerm: 2 }), ...leading({ keptBytes: 9e9 }) }
  await host.rounds(3, { ...seen, ...free(120) })
  expect(host.log).toEqual([])
  expect(roomsOf(host)).toEqual(['tight'])
})
