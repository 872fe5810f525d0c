import { describe, expect, test } from 'vitest'
import { validatorFor } from '../../modules/validators.ts'
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
  describe.each(fixtures)(`${module.name}: laws: $title`, (fixture) => {
    const inWorld = async (law: (world: LawWorld, steps: Steps) => Promise<void>) => {
      const world = await newWorld()
      try {
        await law(world, stepsOf(module, world))
      } finally {
        await world.dispose()
      }
    }

    test('the second run changes nothing', () =>
      inWorld(async (_, { converge, pending }) => {
        expect(await converge(fixture.args)).not.toEqual([])
        expect(await pending(fixture.args)).toEqual([])
      }))

    test('check predicts what apply does, and changes nothing itself', () =>
      inWorld(async (_, { converge, pending }) => {
        const predicted = await pending(fixture.args)
        expect(await pending(fixture.args)).toEqual(predicted)
        expect(await converge(fixture.args)).toEqual(predicted)
      }))

    test('cut after any change, the next run finishes', async () => {
      for (let cut = 0, more = true; more; cut += 1)
        await inWorld(async (_, { converge, pending, changes }) => {
          const before = await changes(fixture.args)
          more = cut < before.length
          await converge(fixture.args, cut)
          await converge(fixture.args)
          expect(await pending(fixture.args)).toEqual([])
        })
    })

    if (fixture.opposite !== undefined) {
      const opposite = fixture.opposite
      test('absent after present is absent', () =>
        inWorld(async (_, { converge, pending }) => {
          await converge(fixture.args)
          expect(await converge(opposite)).not.toEqual([])
          expect(await pending(opposite)).toEqual([])
          expect(await pending(fixture.args)).not.toEqual([])
        }))
    }

    if (fixture.secret !== undefined) {
      const { secret } = fixture
      test('no secret is in what people see', () =>
        inWorld(async (_, { pending }) => {
          expect((await pending(fixture.args)).join('\n')).not.toContain(secret)
        }))
    }
  })
}

interface Steps {
  changes(args: JsonObject): Promise<readonly Change[]>
  /** What it would do, in words. */
  pending(args: JsonObject): Promise<readonly string[]>
  /** Does it, or its first `limit` changes; what it did, in words. */
  converge(args: JsonObject, limit?: number): Promise<readonly string[]>
}

function stepsOf(module: AnyModule, { host, root }: LawWorld): Steps {
  const changes = async (raw: JsonObject) => {
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
  return { changes, pending, converge }
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
