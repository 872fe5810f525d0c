import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { waitFor } from '../../modules/wait_for.ts'
import { apply } from '../../src/engine/apply.ts'
import { systemClock } from '../../src/engine/clock.ts'
import { localWorld } from '../support/local_world.ts'
import { moduleCases } from '../support/module_cases.ts'

moduleCases(waitFor)

test('it goes on as soon as what it waits for is there', async () => {
  const world = await localWorld()
  const path = join(world.root, 'ready')
  const args = { path, timeout: '20s', interval: '20ms' }
  const [change] = waitFor.diff(await waitFor.observe(world.host, args), args)
  if (change === undefined) throw new Error('there was something to wait for')
  const bounds = {
    clock: systemClock,
    deadline: systemClock.now() + 20_000,
    stop: new AbortController().signal,
  }
  const waited = apply(world.host, change, bounds)
  await writeFile(path, '')
  await waited
  expect(waitFor.diff(await waitFor.observe(world.host, args), args)).toEqual([])
  await world.dispose()
})
