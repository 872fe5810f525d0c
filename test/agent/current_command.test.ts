import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ControlSocket, openControlSocket } from '../../src/agent/control_socket.ts'
import { runCurrent, whyNotYet } from '../../src/agent/current_command.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { scratch } from '../support/engine_run.ts'

const CURRENT: JsonObject = {
  siteReplaced: false,
  siteRefused: null,
  mode: 'paired',
  peer: 'answers',
  peerAsks: true,
  agentGone: false,
}

let folder: ReturnType<typeof scratch>
let socket: ControlSocket | undefined
beforeEach(() => {
  folder = scratch()
})
afterEach(async () => {
  await socket?.close()
  socket = undefined
  folder.remove()
})

// oxfmt-ignore
test.each([
  { what: 'goes by the site that is here, and both hear each other', says: {}, why: /^nothing$/ },
  { what: 'still has the site of before', says: { siteReplaced: true }, why: /site that was here before/ },
  { what: 'is of a version that does not say', says: { siteReplaced: null }, why: /site that was here before/ },
  { what: 'could not start with the new site', says: { siteReplaced: true, siteRefused: 'no memory' }, why: /no memory/ },
  { what: 'has not heard its peer yet', says: { peer: 'missed' }, why: /does not hear its peer/ },
  { what: 'was not heard by its peer yet', says: { peerAsks: false }, why: /does not hear it yet/ },
  { what: 'leads alone', says: { mode: 'alone', peer: 'silent', peerAsks: false }, why: /^nothing$/ },
  { what: 'has no hostMeta yet', says: { mode: null, peer: 'missed', peerAsks: false }, why: /^nothing$/ },
  { what: 'has a peer that is off', says: { peer: 'gone', peerAsks: false }, why: /^nothing$/ },
  { what: 'has a peer that is cut off', says: { peer: 'cut', peerAsks: false }, why: /^nothing$/ },
  { what: 'has a peer without an agent', says: { peer: 'silent', peerAsks: false, agentGone: true }, why: /^nothing$/ },
  { what: 'is paused, as its peer is', says: { paused: true, peerPaused: true }, why: /^nothing$/ },
])('an agent that $what is judged so', ({ says, why }) => {
  expect(whyNotYet({ ...CURRENT, ...says }) ?? 'nothing').toMatch(why)
})

test.each([
  { state: 'inactive', code: 0, words: '' },
  { state: 'failed', code: 0, words: '' },
  { state: 'activating', code: 3, words: 'its unit is activating, and it does not answer yet\n' },
  { state: 'active', code: 3, words: 'its unit is active, and it does not answer yet\n' },
])('one that does not answer and whose unit is $state is exit $code', async (asked) => {
  expect(await current(asked.state)).toEqual({ code: asked.code, words: asked.words })
})

test('one that answers is judged by its status, and one that ends meanwhile is about to start', async () => {
  let says: JsonObject = CURRENT
  let ends = false
  socket = await openControlSocket(join(folder.path, 'agent.sock'), async (_, say) => {
    // As an agent that ends: what it was asked is never answered to its end.
    if (ends) void socket?.close()
    else say(says)
  })
  expect(await current('active')).toEqual({ code: 0, words: '' })
  says = { ...CURRENT, siteReplaced: true }
  expect(await current('active')).toMatchObject({ code: 3 })
  ends = true
  expect((await current('deactivating')).words).toContain('its unit is deactivating')
})

async function current(state: string): Promise<{ code: number; words: string }> {
  let words = ''
  const err = { write: (text: string) => void (words += text) }
  const places = { socket: join(folder.path, 'agent.sock'), unitState: async () => state }
  const code = await runCurrent(err, places)
  return { code, words }
}
