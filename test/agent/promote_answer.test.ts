import { afterEach, beforeEach, expect, test } from 'vitest'
import { SILENT } from '../support/agent_sightings.ts'
import { ControlBench, withRounds } from './support/control_agent.ts'

let bench: ControlBench
beforeEach(() => {
  bench = new ControlBench()
})
afterEach(async () => await bench.close())

/** A follower whose leader has been silent for longer than its proof lasts. */
async function stale() {
  const host = await bench.agentOf('h2')
  host.disk.paused = true
  await host.rounds(90, SILENT)
  host.disk.paused = false
  return host
}

test('18: by force a follower without the proof shows what is at risk, and wants a yes', async () => {
  const host = await stale()
  let asked = ''
  bench.ask = async (question) => {
    asked = question
    return await Promise.resolve('no')
  }
  await expect(withRounds(host, bench.twonode('promote', '--force'))).rejects.toThrow(
    'nobody said yes: nothing is done',
  )
  expect(asked).toContain('Type yes')
  expect(host.disk.meta?.leader).toBe('h1')
  bench.ask = async () => await Promise.resolve('yes')
  const said = await withRounds(host, bench.twonode('promote', '--force'))
  expect(said).toMatch(/^h1 was heard \d+ s ago, and led a pair\n.*\nwhat h1 acknowledged and h2/)
  expect(said).toMatch(/\nbegun: .*\(rule promote-forced\)\n$/)
  await host.core.idle()
  expect(await bench.twonode('timeline')).toMatch(
    /promoted without the proof: acknowledged writes may be missing/,
  )
})

test('18: where nobody is there to say yes it is refused, unless it was said beforehand', async () => {
  const host = await stale()
  await expect(withRounds(host, bench.twonode('promote', '--force'))).rejects.toMatchObject({
    code: 'E_USAGE',
    message: 'nobody is there to say yes to what may be lost',
  })
  expect(await withRounds(host, bench.twonode('promote', '--force', '--yes'))).toContain('begun: ')
})

test('without force the rules decide, and nothing is asked', async () => {
  const host = await stale()
  await expect(withRounds(host, bench.twonode('promote'))).rejects.toThrow(
    'nothing proves that h2 has everything that h1 acknowledged',
  )
})
