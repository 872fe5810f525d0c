import { expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import type { Event, StepEvent } from '../../src/core/events.ts'
import { FILES, idleRunners, SECRETS } from './support/fixtures.ts'
import { summaryOf } from './support/scripted_pair.ts'
import { runCommandLine } from './support/test_world.ts'

/** A host whose agent answers so, or refuses. */
function answered(host: string, answer: object | TwonodeError): readonly Event[] {
  const asked = { event: 'step', host, play: 'p', task: 't', module: 'command', durationMs: 1 }
  if (!(answer instanceof TwonodeError)) {
    const result = { code: 0, stdout: `${JSON.stringify(answer)}\n`, stderr: '' }
    return [{ ...asked, status: 'changed', register: 'said', result } as StepEvent, summaryOf(host)]
  }
  const { code, message, hint } = answer
  const detail = `${code}: ${message}\n  ${hint}`
  const trouble = new TwonodeError('E_COMMAND_FAILED', 'twonode: it exited 2', { detail })
  const step = { ...asked, status: 'failed', trouble: trouble.toTrouble() }
  return [step as StepEvent, summaryOf(host, 3)]
}

test('both hosts are paused by one command, and each says until when', async () => {
  const { open, requests } = idleRunners((host) => answered(host, { message: `paused: ${host}` }))
  const line = 'pause -i inventory.yaml --for 2h'
  const { exit, out } = await runCommandLine(line, { files: FILES, env: SECRETS, open })
  expect(out).toBe('h1  paused: h1\nh2  paused: h2\n')
  expect(exit).toBe(0)
  for (const { opening } of requests) {
    const [step] = opening.type === 'plan' ? (opening.plan.plays[0]?.steps ?? []) : []
    const argv = ['/usr/local/bin/twonode', 'pause', '--for', '2h', '--json']
    expect(step?.args['argv']).toEqual(argv)
  }
})

test('--json is one object a host', async () => {
  const { open } = idleRunners((host) => answered(host, { message: 'resumed' }))
  const line = 'resume -i inventory.yaml --json'
  const { out } = await runCommandLine(line, { files: FILES, env: SECRETS, open })
  const lines = out
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as object)
  expect(lines).toEqual([
    { host: 'h1', message: 'resumed' },
    { host: 'h2', message: 'resumed' },
  ])
})

test("an agent's refusal is told in its own words", async () => {
  const refusal = new TwonodeError('E_USAGE', 'a pause lasts for 1s to 24h', { hint: 'Shorter.' })
  const { open } = idleRunners((host) => answered(host, refusal))
  const line = 'pause -i inventory.yaml --for 48h'
  const { exit, err } = await runCommandLine(line, { files: FILES, env: SECRETS, open })
  expect(err).toContain('h1  error E_USAGE: a pause lasts for 1s to 24h\n  Shorter.\n')
  expect(exit).toBe(3)
})

test('a duration that is none is refused before anybody is asked', async () => {
  const line = 'pause -i inventory.yaml --for ever'
  const { exit, err } = await runCommandLine(line, { files: FILES, env: SECRETS })
  expect([exit, err]).toEqual([2, expect.stringContaining('--for ever is no duration')])
})
