import { afterEach, beforeEach, expect, test } from 'vitest'
import { type HostMeta, serialiseHostMeta } from '../../src/pair/host_meta.ts'
import { namesAtBarriers } from '../../src/runner/names_now.ts'
import { pairMeta } from '../support/agent_sightings.ts'
import { converge, journalIn, PAIR, planOf, scratch, SITE, step } from '../support/engine_run.ts'
import { createSimulatedHost, diskWith } from '../support/simulated_host.ts'

let folder: ReturnType<typeof scratch>
beforeEach(() => {
  folder = scratch()
})
afterEach(() => folder.remove())

/** A host whose run began while h1 led alone, in term 1. */
function begun(plan = planOf([])) {
  const disk = diskWith('/etc', SITE.stateDirectory)
  const host = createSimulatedHost({ name: 'h1', disk })
  const record = (more: Partial<HostMeta>): void =>
    void disk.set(`${SITE.stateDirectory}/host-meta.yaml`, {
      kind: 'file',
      content: serialiseHostMeta(pairMeta({ site: SITE.name, ...more })),
      mode: 0o600,
      owner: 'root',
      group: 'root',
    })
  const sources = { plan, host: 'h1', pair: PAIR, facts: {} }
  return { host, record, ...namesAtBarriers(host, sources) }
}

test('names stay the same object while nothing is recorded, or nothing newer', async () => {
  const { names, namesNow, record } = begun()
  expect(await namesNow()).toBe(names)
  record({ term: 1, mode: 'alone' })
  expect(await namesNow()).toBe(names)
})

test('a newer record of the same leader is what the steps go by from then on', async () => {
  const { names, namesNow, record } = begun()
  record({ term: 2, mode: 'paired' })
  const now = await namesNow()
  expect(now).not.toBe(names)
  expect(now).toMatchObject({ site: { mode: 'paired', term: 2 } })
  expect(await namesNow()).toBe(now)
})

test('a run ends where another host leads since it began', async () => {
  const { namesNow, record } = begun()
  record({ term: 3, branch: 3, leader: 'h2', began: 'promotion' })
  await expect(namesNow()).rejects.toMatchObject({
    code: 'E_ROLES',
    message: expect.stringContaining('h2 leads since this run began (branch 3, term 3)') as string,
  })
})

test('a run that let its lock go at a barrier does nothing of a mode that the agent has left since (A3)', async () => {
  // As role.yaml: first what both hosts do, then the leader's "A leader that is alone waits for nobody".
  const plan = planOf([
    { steps: [step('a', 'text', { path: '/etc/a', content: 'a' })] },
    {
      hosts: 'leader',
      steps: [
        step('reset', 'text', { path: '/etc/names', content: '' }, { when: 'site.mode == alone' }),
      ],
    },
  ])
  const { host, record, namesNow } = begun(plan)
  const { lines, exitCode } = await converge({
    host,
    plan,
    journal: journalIn(folder.path, 'run-1'),
    namesNow,
    control: {
      barrier: async () => {
        // Names set, recorded, and the follower has stored its proof.
        record({ term: 2, mode: 'paired' })
        return { kind: 'proceed', peerChanged: false }
      },
    },
  })
  expect(exitCode).toBe(0)
  expect(lines).toContain('changed a')
  expect(lines).not.toContain('changed reset')
})
