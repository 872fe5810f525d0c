import { EventEmitter, once } from 'node:events'
import { expect, test } from 'vitest'
import { DONE, untilStopped } from '../support/scripted_agent.ts'
import { follower } from '../support/settled_agents.ts'

const OURS = 'abc'
const DIGEST = {
  kind: 'done',
  changed: 0,
  registered: { digest: { digest: OURS } },
} as const

test('the side of the follower: kine stays dead until the leader cancels, or says nothing for too long', async () => {
  const host = await follower()
  host.converges = { handover: () => DONE, digest: () => DIGEST, role: () => DONE }
  const prepared = host.core.onHandOver({ phase: 'prepare', term: 2, byOperator: false })
  expect(await prepared).toEqual({ ok: true })
  expect(await host.core.onHandOver({ phase: 'digest', term: 2 })).toEqual({
    ok: true,
    digest: OURS,
  })
  await host.rounds(5)
  expect(host.log).toEqual(['converge handover urgent', 'converge digest urgent'])
  await host.rounds(7)
  expect(host.log.at(-1)).toBe('converge role')
  await host.core.onHandOver({ phase: 'prepare', term: 2, byOperator: false })
  await host.core.onHandOver({ phase: 'cancel', term: 2 })
  await host.rounds(1)
  expect(host.log.slice(-2)).toEqual(['converge handover urgent', 'converge role'])
  const wrong = host.core.onHandOver({ phase: 'prepare', term: 1, byOperator: false })
  expect(await wrong).toMatchObject({ ok: false })
})

test.each(['prepare', 'digest'] as const)(
  "the follower's kine comes back at once when its %s is under way as the leader cancels",
  async (phase) => {
    const host = await follower()
    const prepare = { phase: 'prepare', term: 2, byOperator: false } as const
    host.converges = {
      handover: phase === 'prepare' ? untilStopped : () => DONE,
      digest: untilStopped,
      role: () => DONE,
    }
    if (phase === 'digest') await host.core.onHandOver(prepare)
    const answer = host.core.onHandOver(phase === 'digest' ? { phase, term: 2 } : prepare)
    await host.core.onHandOver({ phase: 'cancel', term: 2 })
    expect(await answer).toMatchObject({ ok: false })
    await host.rounds(2)
    expect(host.log.at(-1)).toBe('converge role')
    expect(host.core.status().settled).toBe(true)
  },
)

test('a digest that comes after the leader has cancelled keeps no kine waiting', async () => {
  const host = await follower()
  const counting = new EventEmitter()
  host.converges = {
    handover: () => DONE,
    // Its query is in PostgreSQL and comes to its end.
    digest: async () => {
      await once(counting, 'end')
      return DIGEST
    },
    role: () => DONE,
  }
  await host.core.onHandOver({ phase: 'prepare', term: 2, byOperator: false })
  const digest = host.core.onHandOver({ phase: 'digest', term: 2 })
  await host.core.onHandOver({ phase: 'cancel', term: 2 })
  counting.emit('end')
  await digest
  await host.rounds(1)
  expect(host.log.at(-1)).toBe('converge role')
})
