import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LocalEngine, openLocalEngine } from '../../src/agent/local_engine.ts'
import { type OwnSite, readOwnSite } from '../../src/agent/own_site.ts'
import { HANDLERS_FILE } from '../../src/engine/journal.ts'
import type { PlanPlay, PlanStep } from '../../src/core/plan.ts'
import { createLocalHost } from '../../src/host/local.ts'
import type { HostMeta } from '../../src/pair/host_meta.ts'
import { secretsFileText, siteFileText } from '../../src/plan/site_file.ts'
import { reveal } from '../../src/core/secret.ts'
import { planOf, scratch, SITE, step } from '../support/engine_run.ts'

const BUNDLE = 'a'.repeat(64)

const META: HostMeta = {
  format: 1,
  site: 'test',
  term: 7,
  branch: 7,
  mode: 'alone',
  leader: 'h2',
  slot: 'h1_7_1',
  began: 'promotion',
  fork: null,
  hosts: [
    { name: 'h1', address: '192.0.2.1', role: 'follower' },
    { name: 'h2', address: '192.0.2.2', role: 'leader' },
  ],
  controlPlaneEndpoint: '192.0.2.10:6443',
  lastModified: '2026-11-21T00:00:00.000Z',
}

let folder: ReturnType<typeof scratch>
let open: LocalEngine[] = []
let children: ChildProcess[] = []
let ownSite: OwnSite
beforeEach(() => {
  folder = scratch()
})
afterEach(async () => {
  for (const { pid } of children) endGroup(pid)
  for (const engine of open) await engine.close()
  open = []
  children = []
  folder.remove()
})

const at = (name: string) => join(folder.path, name)
const lockFile = () => at('run/converge.lock')
const text = (name: string) => readFileSync(at(name), 'utf8')

/** A task that writes a file, as `site.yaml` would have it. */
function writes(name: string, content: string, more: Partial<PlanStep> = {}): PlanStep {
  return step(`write ${name}`, 'file', { path: at(name), content }, more)
}

function runs(name: string, argv: readonly string[], more: Partial<PlanStep> = {}): PlanStep {
  return step(name, 'command', { argv: [...argv] }, more)
}

/** The engine of host h2 on a site file that holds these plays. */
async function engineFor(
  plays: readonly Partial<PlanPlay>[],
  handlers: readonly PlanStep[] = [],
): Promise<LocalEngine> {
  const site = { ...SITE, stateDirectory: folder.path }
  const plan = { ...planOf(plays, handlers), bundle: BUNDLE, site }
  const secrets = new Map()
  writeFileSync(at('site.yaml'), siteFileText({ plan, secrets }))
  writeFileSync(at('secrets'), reveal(secretsFileText({ plan, host: 'h2', secrets })))
  ownSite = readOwnSite('h2', { site: at('site.yaml'), secrets: at('secrets') })
  const engine = await openLocalEngine({
    site: ownSite,
    bundle: BUNDLE,
    places: { lockFile: lockFile(), appliedFile: at('applied.json') },
    makeHost: (lockFd) => createLocalHost({ name: 'h2', lockFd, digestsPath: null }),
  })
  open.push(engine)
  return engine
}

const role = { meta: META, tags: ['role'], urgent: false, stop: new AbortController().signal }

test('tasks with one of the tags are done as hostMeta wants it, and what they registered comes back', async () => {
  const engine = await engineFor([
    { steps: [writes('other', 'no', { tags: ['packages'] })] },
    {
      hosts: 'leader',
      steps: [
        writes('branch', '{{site.branch}} {{site.leader}}', { tags: ['role'], register: 'branch' }),
      ],
    },
    { hosts: 'follower', steps: [writes('following', 'no', { tags: ['role'] })] },
  ])
  expect(await engine.converge(role)).toEqual({
    kind: 'done',
    changed: 1,
    registered: { branch: expect.objectContaining({ changed: true, exists: true }) as unknown },
  })
  expect(text('branch')).toBe('7 h2')
  expect([existsSync(at('other')), existsSync(at('following'))]).toEqual([false, false])
  // With nothing left to do the results come from looking.
  expect(await engine.converge(role)).toMatchObject({
    kind: 'done',
    changed: 0,
    registered: { branch: { exists: true } },
  })
})

test('what must be recorded before another run looks is recorded while the lock is held, and only if all is done', async () => {
  const engine = await engineFor([
    {
      steps: [writes('done', '1', { tags: ['role'] }), runs('fail', ['false'], { tags: ['bad'] })],
    },
  ])
  const told: string[] = []
  const beforeUnlock = async () => {
    const isFree = spawnSync('flock', ['-n', lockFile(), 'true']).status === 0
    told.push(`${text('done')} ${isFree ? 'free' : 'held'}`)
  }
  expect(await engine.converge({ ...role, beforeUnlock })).toMatchObject({ kind: 'done' })
  expect(await engine.converge({ ...role, tags: ['bad'], beforeUnlock })).toMatchObject({
    kind: 'failed',
  })
  expect(told).toEqual(['1 held'])
})

test('the first task that fails is the outcome, with what was registered before it, and nothing after it is done', async () => {
  const engine = await engineFor([
    {
      steps: [
        writes('first', '1', { tags: ['role'], register: 'first' }),
        runs('fail', ['false'], { tags: ['role'], register: 'fail' }),
        writes('last', '1', { tags: ['role'], register: 'last' }),
      ],
    },
  ])
  const outcome = await engine.converge(role)
  const first = expect.objectContaining({ exists: true }) as unknown
  expect(outcome).toMatchObject({ kind: 'failed', task: 'fail', registered: { first } })
  expect(outcome).not.toHaveProperty('registered.last')
  expect([existsSync(at('first')), existsSync(at('last'))]).toEqual([true, false])
})

test('a lock that another holds is an outcome; an urgent converge ends the holder politely', async () => {
  const engine = await engineFor([{ steps: [writes('done', '1', { tags: ['role'] })] }])
  const holder = await holdLock('trap "exit 0" TERM; echo held; sleep 60 3>&- & wait')
  expect(await engine.converge(role)).toMatchObject({ kind: 'locked' })
  expect(existsSync(at('done'))).toBe(false)
  const ended = once(holder, 'exit')
  expect(await engine.converge({ ...role, urgent: true })).toMatchObject({ kind: 'done' })
  expect(await ended).toEqual([0, null])
})

test('who converged the host last is written down by a run that is in no hurry', async () => {
  const engine = await engineFor([{ steps: [writes('a', '1', { tags: ['role'] })] }])
  for (const urgent of [true, false]) {
    await engine.converge({ ...role, urgent })
    expect(existsSync(at('applied.json'))).toBe(!urgent)
    rmSync(at('a'))
  }
})

test('a holder that does not end is killed after 3 s, with the commands that hold the lock with it', async () => {
  const engine = await engineFor([{ steps: [writes('done', '1', { tags: ['role'] })] }])
  const holder = await holdLock('trap "" TERM; sh -c \'trap "" TERM; sleep 60\' & echo held; wait')
  const ended = once(holder, 'exit')
  const begin = performance.now()
  expect(await engine.converge({ ...role, urgent: true })).toMatchObject({ kind: 'done' })
  expect(performance.now() - begin).toBeGreaterThan(2_900)
  expect(await ended).toEqual([null, 'SIGKILL'])
})

test('an urgent converge ends one of its own that waits, and kills the command that it waits for', async () => {
  const engine = await engineFor([
    {
      steps: [
        runs('wait', ['sleep', '50'], { tags: ['slow'] }),
        writes('after', '1', { tags: ['slow'] }),
        writes('done', '1', { tags: ['role'] }),
      ],
    },
  ])
  const slow = engine.converge({ ...role, tags: ['slow'] })
  await until(() => lockIsNamed())
  expect(await engine.converge(role)).toEqual({ kind: 'locked', by: 'a converge of this agent' })
  expect(await engine.converge({ ...role, urgent: true })).toMatchObject({ kind: 'done' })
  expect(await slow).toEqual({ kind: 'stopped' })
  expect([existsSync(at('done')), existsSync(at('after'))]).toEqual([true, false])
})

test('a converge that is to stop ends after its current change', async () => {
  const engine = await engineFor([
    {
      steps: [
        runs('wait', ['sh', '-c', `touch ${at('begun')}; sleep 1`], { tags: ['role'] }),
        writes('after', '1', { tags: ['role'] }),
      ],
    },
  ])
  const stop = new AbortController()
  const begin = performance.now()
  const ending = engine.converge({ ...role, stop: stop.signal })
  await until(() => existsSync(at('begun')))
  stop.abort()
  expect(await ending).toEqual({ kind: 'stopped' })
  expect(performance.now() - begin).toBeGreaterThan(900)
  expect([existsSync(at('after')), engine.isBusy()]).toEqual([false, false])
})

test('a converge runs what an earlier one of the agent owes, unless it is urgent, and never what a laptop owes', async () => {
  const engine = await engineFor(
    [
      { name: 'one', steps: [writes('done', 'term {{site.term}}', { tags: ['role'] })] },
      { name: 'two', steps: [] },
    ],
    [writes('ours', '1'), writes('theirs', '1')],
  )
  mkdirSync(at('journal'))
  const owed = [
    { name: 'write ours', play: 'two', runId: 'agent-6-4711-1' },
    // It may restart this agent, in each of its runs again: the laptop comes back and pays.
    { name: 'write theirs', play: 'two', runId: 'a laptop' },
  ]
  writeFileSync(at(`journal/${HANDLERS_FILE}`), JSON.stringify({ format: 1, handlers: owed }))
  expect(await engine.converge({ ...role, urgent: true })).toMatchObject({ changed: 1 })
  expect([existsSync(at('ours')), existsSync(at('theirs'))]).toEqual([false, false])
  expect(await engine.converge(role)).toMatchObject({ changed: 1 })
  expect([existsSync(at('ours')), existsSync(at('theirs'))]).toEqual([true, false])
  expect(text(`journal/${HANDLERS_FILE}`)).toContain('write theirs')
})

test('a site of another bundle is refused, and a site that was replaced says so', async () => {
  await engineFor([{ steps: [] }])
  const places = { site: at('site.yaml'), secrets: at('secrets') }
  const site = readOwnSite('h2', places)
  await expect(openLocalEngine({ site, bundle: 'b'.repeat(64) })).rejects.toThrow(
    'the site file is of bundle aaaaaaaaaaaa…, this is bbbbbbbbbbbb…',
  )
  expect(site.isReplaced()).toBe(false)
  writeFileSync(at('site.yaml'), `${text('site.yaml')}\n`)
  expect(site.isReplaced()).toBe(true)
})

test('nothing to do leaves no trace in the journal', async () => {
  const engine = await engineFor([{ steps: [runs('look', ['true'], { tags: ['other'] })] }])
  expect(await engine.converge(role)).toMatchObject({ kind: 'done', changed: 0 })
  expect(existsSync(at('journal')) ? readdirSync(at('journal')) : []).toEqual([])
})

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: it has ended.
  }
}

/** A process that takes the lock as a runner does, names itself in it, and then does this. */
async function holdLock(script: string): Promise<ChildProcess> {
  mkdirSync(at('run'), { recursive: true })
  const taking = `exec 3>"${lockFile()}"; flock -x 3; printf '{"pid":%s,"runId":"r","by":"ana","since":"now"}' $$ >&3`
  const child = spawn('bash', ['-c', `${taking}; ${script}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

/** Its converge has the lock and has begun. */
function lockIsNamed(): boolean {
  return existsSync(lockFile()) && text('run/converge.lock').includes('agent@h2')
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('not within 10 s')
    await delay(20)
  }
}

test('a peer that was replaced is the new one in the next converge, and in the site file', async () => {
  const named = writes('peer', '{{peer.name}} {{peer.address}}', { tags: ['role'] })
  const engine = await engineFor([{ hosts: 'all', steps: [named] }])
  await engine.converge(role)
  expect(text('peer')).toBe('h1 192.0.2.1')
  await ownSite.takeIn('h1', { name: 'h3', address: '192.0.2.3' })
  await engine.converge(role)
  expect(text('peer')).toBe('h3 192.0.2.3')
  expect(ownSite.isReplaced()).toBe(true)
  const places = { site: at('site.yaml'), secrets: at('secrets') }
  expect(readOwnSite('h2', places).plan).toEqual(ownSite.plan)
})
