import { describe, expect, test } from 'vitest'
import { validatorFor } from '../../modules/parts/validators.ts'
import { type Change, describeChange } from '../../src/core/change.ts'
import type { Host } from '../../src/core/host.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { AnyModule } from '../../src/core/module.ts'
import { apply, type Bounds } from '../../src/engine/apply.ts'
import { systemClock } from '../../src/engine/clock.ts'
import { evaluateNames } from './module_cases.ts'

/** A host of its own for one law, and what takes it away again. */
export interface LawWorld {
  readonly host: Host
  /** Stands for the world's folder in `args`: `ROOT/etc/motd`. */
  readonly root: string
  dispose(): Promise<void>
}

export interface LawFixture {
  readonly title: string
  /** `ROOT` in texts stands for the world's folder. */
  readonly args: JsonObject
  /** What undoes it; without it the law of absence is not asked. */
  readonly opposite?: JsonObject
  /** A planted secret in `args` that must not be seen. */
  readonly secret?: string
}

/** The laws of every module, on a host that really changes. */
export function moduleLaws(
  module: AnyModule,
  newWorld: () => Promise<LawWorld>,
  fixtures: readonly LawFixture[],
): void {
  const within = async (law: (steps: Steps) => Promise<void>) => {
    const world = await newWorld()
    try {
      await law(stepsOf(module, world))
    } finally {
      await world.dispose()
    }
  }
  const reversible = fixtures.flatMap(({ title, args, opposite }) =>
    opposite === undefined ? [] : [{ title, args, opposite }],
  )
  const secretive = fixtures.flatMap(({ title, args, secret }) =>
    secret === undefined ? [] : [{ title, args, secret }],
  )

  describe(`${module.name}: laws`, () => {
    test.each(fixtures)('$title: the second run changes nothing', async ({ args }) => {
      await within(async ({ converge, pending }) => {
        expect(await converge(args)).not.toEqual([])
        expect(await pending(args)).toEqual([])
      })
    })

    test.each(fixtures)('$title: check predicts apply and changes nothing', async ({ args }) => {
      await within(async ({ converge, pending }) => {
        const predicted = await pending(args)
        expect(await pending(args)).toEqual(predicted)
        expect(await converge(args)).toEqual(predicted)
      })
    })

    test.each(fixtures)('$title: cut after any change, the next run ends', async ({ args }) => {
      let whole = 0
      await within(async ({ pending }) => {
        whole = (await pending(args)).length
      })
      for (let cut = 0; cut <= whole; cut += 1)
        await within(async ({ converge, pending }) => {
          await converge(args, cut)
          await converge(args)
          expect(await pending(args)).toEqual([])
        })
    })

    test.each(reversible)('$title: absent after present is absent', async ({ args, opposite }) => {
      await within(async ({ converge, pending }) => {
        await converge(args)
        expect(await converge(opposite)).not.toEqual([])
        expect(await pending(opposite)).toEqual([])
        expect(await pending(args)).not.toEqual([])
      })
    })

    test.each(secretive)('$title: no secret is in what people see', async ({ args, secret }) => {
      await within(async ({ pending }) => {
        expect((await pending(args)).join('\n')).not.toContain(secret)
      })
    })
  })
}

interface Steps {
  /** What it would do, in words. */
  readonly pending: (args: JsonObject) => Promise<readonly string[]>
  /** Does it, or its first `limit` changes; what it did, in words. */
  readonly converge: (args: JsonObject, limit?: number) => Promise<readonly string[]>
}

function stepsOf(module: AnyModule, { host, root }: LawWorld): Steps {
  const changes = async (raw: JsonObject): Promise<readonly Change[]> => {
    const args = inFolder(raw, root)
    const problems = validatorFor(module.name)(args)
    if (problems.length > 0) throw new Error(JSON.stringify(problems))
    const state = await module.observe(host, args)
    const refusal = module.refuse?.(state, args, evaluateNames)
    if (refusal !== undefined) throw new Error(refusal)
    return module.diff(state, args)
  }
  const pending = async (args: JsonObject) => (await changes(args)).map(describeChange)
  const converge = async (args: JsonObject, limit = Number.POSITIVE_INFINITY) => {
    const todo = (await changes(args)).slice(0, limit)
    for (const change of todo) await apply(host, change, bounds())
    return todo.map(describeChange)
  }
  return { pending, converge }
}

function bounds(): Bounds {
  const deadline = systemClock.now() + 20_000
  return { clock: systemClock, deadline, stop: new AbortController().signal }
}

/** A copy with the world's folder in place of ROOT; secrets stay themselves. */
function inFolder(value: unknown, root: string): unknown {
  if (typeof value === 'string') return value.replaceAll('ROOT', root)
  if (Array.isArray(value)) return value.map((inner) => inFolder(inner, root))
  if (typeof value !== 'object' || value === null) return value
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, inFolder(inner, root)]),
  )
}
