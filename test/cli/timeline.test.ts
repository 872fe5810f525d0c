import { expect, test } from 'vitest'
import type { Event, StepEvent } from '../../src/core/events.ts'
import { idleRunners, INVENTORY, SECRETS } from './support/fixtures.ts'
import { summaryOf } from './support/scripted_pair.ts'
import { runCommandLine, type TestWorld } from './support/test_world.ts'

const world = { env: SECRETS, files: { 'inventory.yaml': INVENTORY } }

/** What the agent of a host says of itself: a line a time. */
const ACCOUNTS: Readonly<Record<string, readonly string[]>> = {
  // Its clock was set back between its two lines.
  h1: ['12:00:05', '12:00:01'],
  h2: ['12:00:02', '12:00:04', '12:00:09'],
}

function account(host: string): readonly Event[] {
  const lines = (ACCOUNTS[host] ?? []).map((at) =>
    JSON.stringify({ at, host, kind: 'meta', text: `${at} ${host}` }),
  )
  const step: StepEvent = {
    event: 'step',
    host,
    play: 'p',
    task: 'What the agent decided',
    module: 'assert',
    status: 'ok',
    result: { rows: [], code: 0, stdout: `${lines.join('\n')}\n{"torn`, stderr: '' },
    durationMs: 1,
  }
  return [step, summaryOf(host, 0)]
}

test('both accounts become one, oldest first, and each keeps its own order', async () => {
  const { open, sent } = idleRunners(account)
  const { exit, out } = await runCommandLine('timeline -i inventory.yaml', { ...world, open })
  expect(exit).toBe(0)
  expect(out.split('\n')).toEqual([
    '12:00:02 h2',
    '12:00:04 h2',
    '12:00:05 h1',
    '12:00:01 h1',
    '12:00:09 h2',
    '',
  ])
  expect(JSON.stringify(sent)).not.toContain('"check":false')
})

test('as JSON each line says its site', async () => {
  const { open } = idleRunners(account)
  const line = 'timeline -i inventory.yaml --limit h1 --json'
  const { out } = await runCommandLine(line, { ...world, open })
  const lines = out.trim().split('\n')
  expect(lines.map((text) => JSON.parse(text) as unknown)).toMatchObject([
    { site: 'edge', host: 'h1', at: '12:00:05' },
    { site: 'edge', host: 'h1', at: '12:00:01' },
  ])
})

test.each(['0', '301', 'all'])('--lines %s is refused before anything is opened', async (lines) => {
  const { exit, err } = await runCommandLine(`timeline -i inventory.yaml --lines ${lines}`, world)
  expect(exit).toBe(2)
  expect(err).toContain('--lines takes a whole number from 1 to 300')
})

test('status --watch looks again and again until Ctrl-C', async () => {
  const { open, requests } = idleRunners()
  const files = { ...world.files, '/usr/lib/twonode/playbooks/status.yaml': '[]' }
  let made: TestWorld | undefined
  const running = runCommandLine('status -i inventory.yaml --watch --json', {
    ...world,
    files,
    open: async (request, listener) => {
      if (requests.length >= 3) made?.interrupt()
      return await open(request, listener)
    },
    onWorld: (own) => (made = own),
  })
  const { exit, out } = await running
  expect(exit).toBe(0)
  expect(out.trim().split('\n')).toHaveLength(2)
})
