import { expect, test } from 'vitest'
import { converge, kineWrites, result } from '../support/postgres_bench.ts'
import { kineBench } from '../support/bench_of_file.ts'
import { kineDigest } from '../../modules/kine_digest.ts'
import { moduleCases } from '../support/module_cases.ts'

const bench = kineBench()

moduleCases(kineDigest)

const digest = async () => (await result(bench.host, 'kine_digest', { database: 'kine' }))['digest']

test('A7: the same rows give the same digest wherever they lie, and any difference another', async () => {
  const empty = await digest()
  await kineWrites(bench.server, '/a', '1')
  await kineWrites(bench.server, '/b', '2')
  const two = await digest()
  expect(two).not.toBe(empty)
  // Written anew, the rows lie elsewhere on the disk.
  await bench.server.sql('kine', 'update kine set lease = lease')
  await bench.server.sql('kine', 'vacuum full kine')
  expect(await digest()).toBe(two)
  for (const difference of [
    "value = '3'",
    'lease = 1',
    'old_value = value',
    "name = '/c'",
    'deleted = 1',
  ]) {
    await bench.server.sql('kine', `update kine set ${difference} where name = '/b'`)
    expect(await digest(), difference).not.toBe(two)
    await bench.server.sql(
      'kine',
      "update kine set value = '2', lease = 0, old_value = null, name = '/b', deleted = 0 where id = 2",
    )
    expect(await digest(), difference).toBe(two)
  }
  expect(await converge(bench.host, 'kine_digest', { database: 'kine' })).toEqual([])
})
