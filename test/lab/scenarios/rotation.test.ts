import { expect, test } from 'vitest'
import { explain, finished, startTwonode, type Run } from '../../../lab/twonode_process.ts'
import { inHost, laptop, mustConverge, stepNames } from '../pair.ts'
import { startScenario, unitRuns } from '../scenario.ts'

/** @unit milliseconds */
const ALONE_MS = 15_000
const RETURN_MS = 60_000

const LEAVES = ['postgres', 'replication', 'kine', 'agent'].map(
  (name) => `/etc/twonode/tls/${name}.crt`,
)

test('34: keys and certificates are rotated while a writer writes, of both hosts and of one whose peer is off; the next converge finds nothing to do', async () => {
  const scenario = await startScenario()
  const { lab } = scenario
  const from = await laptop('first')
  await scenario.writer('h1')
  const before = { h1: await leaves('h1'), h2: await leaves('h2') }
  await scenario.act('both hosts get new ones', () => rotate([]))
  const after = { h1: await leaves('h1'), h2: await leaves('h2') }
  for (const host of ['h1', 'h2'] as const)
    for (const [at, sum] of after[host].entries())
      expect(sum, LEAVES[at]).not.toBe(before[host][at])
  await scenario.paired('h1', RETURN_MS)

  await scenario.act('h2 loses its power', () => lab.powerOff('h2'))
  await scenario.until({ leader: 'h1', mode: 'alone' }, ['h1'], ALONE_MS)
  await scenario.act('h1 gets new ones', () => rotate(['--limit', 'h1']))
  expect(await leaves('h1')).not.toEqual(after.h1)
  await scenario.writing(ALONE_MS)
  await scenario.act('h2 has power again', () => lab.powerOn('h2'))
  await scenario.paired('h1', RETURN_MS)
  expect(await leaves('h2'), 'its own are good until they expire').toEqual(after.h2)
  await scenario.poll("h2's k3s runs", () => unitRuns('h2', 'k3s.service'), RETURN_MS)
  expect(stepNames(await mustConverge(from), 'changed')).toEqual([])
  expect(await scenario.end('h1', [])).toEqual([])

  async function rotate(more: readonly string[]): Promise<Run> {
    const words = ['rotate', 'certificates', '-i', from.inventory, '--json', ...more]
    const run = await finished(startTwonode(from, words))
    expect(run.code, explain(run)).toBe(0)
    return run
  }
})

async function leaves(host: 'h1' | 'h2'): Promise<readonly string[]> {
  return (await inHost(host, ['sha256sum', ...LEAVES])).split('\n')
}
