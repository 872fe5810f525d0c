import { expect, test } from 'vitest'
import { answers, following, GATEWAY_UP, leading, pairMeta } from '../support/agent_sightings.ts'
import { DONE } from '../support/scripted_agent.ts'
import { leader } from '../support/settled_agents.ts'

const SUCCESSOR = pairMeta({ term: 3, branch: 3, mode: 'alone', leader: 'h2', began: 'promotion' })
const KEPT = { rows: [{ name: 'twonode_branch_1_16402' }], changed: false, skipped: false }

/** h1 led, and follows h2 since; its table was moved away in the first converge that follows. */
async function superseded(mode: 'paired' | 'alone', changed = true) {
  const host = await leader({ meta: pairMeta({ mode }) })
  host.converges = {
    role: (_, __, told) => {
      told?.('history', { why: 'its slot shows commits beyond the fork' })
      told?.('aside', { kept: 'twonode_branch_1_16402', changed, skipped: false })
      return { ...DONE, registered: { kept: KEPT } }
    },
  }
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: SUCCESSOR }), ...following('h1_3_1') })
  return host
}

test.each(['paired', 'alone'] as const)(
  'a leader in mode %s whose table is set aside says where it is, and how it led until then (A2)',
  async (mode) => {
    const host = await superseded(mode)
    const { lastModified } = pairMeta({ mode })
    expect(host.notes.filter(({ kind }) => kind === 'set-aside')).toEqual([
      {
        kind: 'set-aside',
        schema: 'twonode_branch_1_16402',
        why: 'its slot shows commits beyond the fork',
        led: { branch: 1, mode, since: lastModified },
      },
    ])
    expect(host.core.desk.keptAside()).toEqual(['twonode_branch_1_16402'])
  },
)

test('a table that stays is no line, and a schema of before is still told by the status', async () => {
  const host = await superseded('alone', false)
  expect(host.notes.filter(({ kind }) => kind === 'set-aside')).toEqual([])
  expect(host.core.desk.keptAside()).toEqual(['twonode_branch_1_16402'])
})

test('an agent that has converged nothing yet knows of no schemas', async () => {
  const host = await leader({ meta: pairMeta() })
  host.converges = { role: () => DONE }
  await host.rounds(1, { ...GATEWAY_UP, ...leading() })
  expect(host.core.desk.keptAside()).toBeNull()
})

test('what was saved before a table was moved is a line, and so is what could not be', async () => {
  const host = await leader({ meta: pairMeta() })
  const saved = {
    folder: '/var/lib/twonode/salvage/1_16402',
    counts: { spec: { objects: 3, changes: 7 } },
    changed: true,
  }
  host.converges = {
    role: (_, __, told) => {
      told?.('salvage', { ...saved, problem: 'not exact' })
      told?.('salvage', { folder: null, counts: null, problem: 'the disk is full', changed: true })
      told?.('salvage', { ...saved, changed: false })
      told?.('pruned', { kept: 0, changed: true })
      return DONE
    },
  }
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: SUCCESSOR }), ...following('h1_3_1') })
  expect(host.notes.filter(({ kind }) => kind === 'salvage')).toMatchObject([
    {
      what: 'saved',
      name: '1_16402',
      words:
        '3 objects that somebody changed on this host alone are in /var/lib/twonode/salvage/1_16402; not exact',
    },
    { what: 'saved', name: 'of this host', words: 'the disk is full' },
    { what: 'forgotten' },
  ])
})
