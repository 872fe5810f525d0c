import { describeChange } from '../../src/core/change.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { expect, test } from 'vitest'
import { applyAll, type Bench, converge, plan, step } from './postgres_bench.ts'

export interface LawCase {
  readonly title: string
  readonly args: JsonObject
  /** Args of the opposite: what takes it away again. */
  readonly opposite: JsonObject
}

/** The laws that every module obeys, tried on a real PostgreSQL. Each case begins as `opposite`. */
export function postgresLaws(
  name: string,
  bench: () => Pick<Bench, 'server' | 'host'>,
  cases: readonly LawCase[],
): void {
  test.each(cases)(
    '$title: check predicts apply, and the second run is empty',
    async ({ args, opposite }) => {
      const { host } = bench()
      await converge(host, name, opposite)
      const predicted = (await plan(host, step(name, args))).map(describeChange)
      expect(predicted).not.toEqual([])
      expect(await converge(host, name, args)).toEqual(predicted)
      expect(await converge(host, name, args)).toEqual([])
    },
  )

  test.each(cases)(
    '$title: away and back is as if it had never been',
    async ({ args, opposite }) => {
      const { host } = bench()
      await converge(host, name, opposite)
      const task = step(name, opposite)
      const before = await task.module.observe(host, task.args)
      await converge(host, name, args)
      await converge(host, name, opposite)
      expect(comparable(await task.module.observe(host, task.args))).toEqual(comparable(before))
    },
  )

  test.each(cases)(
    '$title: cut after any change, the next run ends where it should',
    async ({ args, opposite }) => {
      const { host } = bench()
      for (const [from, to] of [
        [opposite, args],
        [args, opposite],
      ] as const) {
        await converge(host, name, from)
        const whole = await plan(host, step(name, to))
        for (let cut = 0; cut < whole.length; cut += 1) {
          await converge(host, name, from)
          const changes = await plan(host, step(name, to))
          await applyAll(host, changes.slice(0, cut))
          await converge(host, name, to)
          expect(await converge(host, name, to)).toEqual([])
        }
      }
    },
  )

  test.each(cases)('$title: no secret is in what people see', async ({ args, opposite }) => {
    const { host } = bench()
    await converge(host, name, opposite)
    const shown = (await plan(host, step(name, args))).map(describeChange).join('\n')
    const values = Object.values(args as Record<string, unknown>)
    const secrets = values.filter((value) => value instanceof Secret)
    expect(secrets.filter((secret) => shown.includes(reveal(secret)))).toEqual([])
  })
}

/** Times of loading and process ids differ from look to look. */
function comparable(state: unknown): unknown {
  return JSON.parse(
    JSON.stringify(state, (key, value: unknown) =>
      ['loadedAt', 'retainedBytes', 'activePid'].includes(key) ? undefined : value,
    ),
  )
}
