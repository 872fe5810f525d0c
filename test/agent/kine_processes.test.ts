import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KineProcesses } from '../../src/agent/kine_processes.ts'

let folder = ''
let started: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twonode-kine-'))
  started = []
})
afterEach(() => {
  for (const child of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

const at = (name: string) => join(folder, name)

/** A process with this environment, in the place of kine. */
async function kine(env: Record<string, string>): Promise<string> {
  const child = spawn('/bin/sleep', ['60'], { env, stdio: 'ignore' })
  started.push(child)
  await once(child, 'spawn')
  return String(child.pid)
}

async function astray(ids: readonly string[], file: string) {
  writeFileSync(at('cgroup.procs'), ids.map((id) => `${id}\n`).join(''))
  writeFileSync(at('kine.env'), file)
  return await new KineProcesses({ ids: at('cgroup.procs'), file: at('kine.env') }).astray()
}

const fileFor = (endpoint: string) =>
  `# a remark\nKINE_ENDPOINT="${endpoint}"\nKINE_CA_FILE="/ca"\n`

test('a process that was started with another database than the file names is astray, and no other is', async () => {
  const old = await kine({ KINE_ENDPOINT: 'postgres://kine@h1/kine' })
  const young = await kine({ KINE_ENDPOINT: 'postgres://kine@h2/kine' })
  const script = await kine({ PATH: '/bin' })
  const all = [old, young, script, '0']
  expect(await astray(all, fileFor('postgres://kine@h2/kine'))).toEqual([old])
  expect(await astray(all, fileFor('postgres://kine@h1/kine'))).toEqual([young])
  expect(await astray(all, 'KINE_ENDPOINT=postgres://kine@h1/kine\n')).toEqual([young])
})

test('nothing is said where nothing is known: no such unit, no file, an empty one', async () => {
  const old = await kine({ KINE_ENDPOINT: 'postgres://kine@h1/kine' })
  expect(await astray([old], '')).toEqual([])
  for (const places of [
    { ids: undefined, file: at('kine.env') },
    { ids: at('cgroup.procs'), file: at('missing') },
    { ids: at('missing'), file: at('kine.env') },
  ])
    expect(await new KineProcesses(places).astray()).toEqual([])
})
