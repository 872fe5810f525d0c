import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunOptions } from '../../src/core/plan.ts'
import { OPTIONS, PAIR, planOf, SITE, step } from '../support/engine_run.ts'
import {
  buildRunner,
  isEvent,
  isType,
  RunnerProcess,
  type RunnerProgram,
} from '../support/runner_process.ts'

const WANTED = 'b'.repeat(64)

let program: RunnerProgram
let root: string

beforeAll(async () => {
  program = await buildRunner()
  root = mkdtempSync(join(tmpdir(), 'twonode-host-'))
  for (const folder of ['data', 'run', 'etc']) mkdirSync(join(root, folder))
})
afterAll(() => {
  program.remove()
  rmSync(root, { recursive: true, force: true })
})

/** The steps that would change something: one artifact, and none if its checksum is as wanted. */
async function pendingWith(binary: string, options: Partial<RunOptions>) {
  const source = { host_path: binary, sha256: WANTED }
  const args = { path: binary, source, owner: 'root', group: 'root', mode: '0644', timeout: '1m' }
  const plan = {
    ...planOf([{ steps: [step('k3s', 'artifact', args)] }]),
    site: { ...SITE, stateDirectory: join(root, 'state') },
  }
  const runner = new RunnerProcess(program, root)
  try {
    const all = { ...OPTIONS, check: true, ...options }
    runner.send({ type: 'plan', plan, host: 'h1', options: all, secrets: {}, blobs: {} })
    await runner.message(isEvent('hello'))
    runner.send({ type: 'go', pair: PAIR, solo: true })
    return (await runner.message(isType('observed'))).pending
  } finally {
    runner.end()
    await runner.exited
  }
}

test('a remembered digest is believed by a converge and not by a verify', async () => {
  const binary = join(root, 'data/k3s')
  writeFileSync(binary, Buffer.alloc(9 * 1024 * 1024))
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(binary, { bigint: true })
  const known = [[[dev, ino, size, mtimeNs, ctimeNs].join(), WANTED]]
  writeFileSync(join(root, 'digests.json'), JSON.stringify(known))
  expect(await pendingWith(binary, {})).toEqual([])
  expect(await pendingWith(binary, { rehash: true })).toHaveLength(1)
})
