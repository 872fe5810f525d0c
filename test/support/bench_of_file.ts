import { afterAll, beforeAll } from 'vitest'
import { type Bench, makeKine, startBench } from './postgres_bench.ts'

/** A PostgreSQL that a file's tests share: started before the first of them, ended after the last. */
export type SharedBench = Pick<Bench, 'server' | 'host'>

/** @param prepare - what all of them find done. */
export function sharedBench(
  prepare: (bench: Bench) => Promise<unknown> = async () => undefined,
): SharedBench {
  let bench: Bench | undefined
  beforeAll(async () => {
    bench = await startBench()
    await prepare(bench)
  })
  afterAll(async () => await bench?.close())
  const started = (): Bench => {
    if (bench === undefined) throw new Error('PostgreSQL is started before the first test')
    return bench
  }
  return {
    get server() {
      return started().server
    },
    get host() {
      return started().host
    },
  }
}

/** One that has a kine's database, role and table. */
export function kineBench(): SharedBench {
  return sharedBench(async ({ host }) => await makeKine(host))
}
