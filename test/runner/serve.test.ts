import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Plan, PlanPlay, PlanStep, RunOptions } from '../../src/core/plan.ts'
import { OPTIONS, PAIR, planOf, SITE, step } from '../support/engine_run.ts'
import {
  buildRunner,
  isEvent,
  isType,
  RunnerProcess,
  type RunnerProgram,
  runs,
} from '../support/runner_process.ts'

let program: RunnerProgram
let root: string
const running: RunnerProcess[] = []

beforeAll(async () => {
  program = await buildRunner()
})
afterAll(() => program.remove())
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'twonode-host-'))
  for (const folder of ['data', 'run', 'etc']) mkdirSync(join(root, folder))
})
afterEach(async () => {
  for (const runner of running.splice(0)) {
    runner.kill()
    await runner.exited
  }
  rmSync(root, { recursive: true, force: true })
})

const at = (path: string) => join(root, 'data', path)
const file = (name: string, content: string, more: Partial<PlanStep> = {}) =>
  step(`write ${name}`, 'file', { path: at(name), content }, more)
const pause = (seconds: number, marker: string) =>
  step('pause', 'command', { argv: ['/bin/sleep', String(seconds)], creates: at(marker) })

function planFor(plays: readonly Partial<PlanPlay>[], handlers: readonly PlanStep[] = []): Plan {
  return { ...planOf(plays, handlers), site: { ...SITE, stateDirectory: join(root, 'state') } }
}

interface Begin {
  readonly options?: Partial<RunOptions>
  readonly secrets?: Readonly<Record<string, { value: string; origin: string }>>
  readonly bundle?: string
}

function begin(plan: Plan, { options, secrets = {}, bundle = 'test' }: Begin = {}): RunnerProcess {
  const runner = new RunnerProcess(program, root, bundle)
  running.push(runner)
  const all = { ...OPTIONS, lockTimeoutMs: 20_000, ...options }
  runner.send({ type: 'plan', plan, host: 'h1', options: all, secrets, blobs: {} })
  return runner
}

/** Plays the controller of one host; returns the exit code. */
async function drive(runner: RunnerProcess, check = false): Promise<number | null> {
  await runner.message(isEvent('hello'))
  runner.send({ type: 'go', pair: PAIR, solo: true })
  const { pending } = await runner.message(isType('observed'))
  if (pending.length === 0 || check) runner.end()
  else runner.send({ type: 'apply', firstBarrier: 1_000 })
  return await runner.exited
}

test('a plan over stdio changes the host, and the second one finds nothing to do', async () => {
  const plan = planFor(
    [{ steps: [file('a', 'one\n'), file('b', 'b\n', { notify: ['tell'] })] }],
    [step('tell', 'command', { argv: ['/usr/bin/touch', at('told')] })],
  )
  const first = begin(plan)
  expect(await drive(first)).toBe(0)
  expect(readFileSync(at('a'), 'utf8')).toBe('one\n')
  expect(existsSync(at('told'))).toBe(true)
  expect(first.events.at(-1)).toMatchObject({ event: 'host-summary', counts: { changed: 3 } })
  expect(JSON.parse(readFileSync(join(root, 'etc/applied.json'), 'utf8'))).toMatchObject({
    by: 'ana@laptop',
  })

  const second = begin(plan)
  expect(await drive(second)).toBe(0)
  const observed = await second.message(isType('observed'))
  expect(observed.pending).toEqual([])
  expect(observed.events.at(-1)).toMatchObject({ counts: { ok: 2, changed: 0 } })
  const greeting = await second.message(isEvent('hello'))
  expect(greeting).toMatchObject({
    hostMeta: null,
    appliedBy: { version: '1.2.3' },
    siteSecrets: { ca: null },
  })
})

test('check mode changes nothing, takes no lock and leaves no journal', async () => {
  const runner = begin(planFor([{ steps: [file('a', 'x')] }]), {
    options: { check: true, diff: true },
  })
  await runner.message(isEvent('hello'))
  runner.send({ type: 'go', pair: PAIR, solo: true })
  const { events } = await runner.message(isType('observed'))
  runner.end()
  expect(await runner.exited).toBe(10)
  expect(events[0]).toMatchObject({ status: 'would-change' })
  expect([
    existsSync(at('a')),
    existsSync(join(root, 'run/converge.lock')),
    existsSync(join(root, 'state')),
  ]).toEqual([false, false, false])
})

test('a plan of another bundle is refused before anything is looked at', async () => {
  const runner = begin(planFor([{ steps: [] }]), { bundle: 'another' })
  expect(await runner.exited).toBe(5)
  expect(runner.events[0]).toMatchObject({ event: 'trouble', trouble: { code: 'E_BUNDLE' } })
})

test('what is no message is refused without repeating it', async () => {
  const runner = new RunnerProcess(program, root)
  running.push(runner)
  runner.sendRaw('{"type":"plan","secrets":{"s":"hunter2-hunter2"\n')
  await runner.exited
  expect(JSON.stringify(runner.messages)).not.toContain('hunter2')
})

test('one converge at a time: the second waits, names the first, and gives up in its time', async () => {
  const holder = begin(planFor([{ steps: [pause(30, 'never')] }]), { options: { runId: 'run-7' } })
  void drive(holder)
  await holder.message(isType('observed'))
  const late = begin(planFor([{ steps: [] }]), { options: { lockTimeoutMs: 500, runId: 'run-8' } })
  expect(await late.exited).toBe(75)
  const [trouble] = late.events.filter((event) => event.event === 'trouble')
  expect(trouble?.trouble).toMatchObject({ code: 'E_LOCKED' })
  expect(trouble?.trouble.message).toContain('run run-7 of ana@laptop')
})

test('a killed runner leaves its lock to the command that still runs, and none when that has ended', async () => {
  const holder = begin(planFor([{ steps: [pause(3.25, 'never')] }]))
  void drive(holder)
  await holder.message(isType('observed'))
  const began = Date.now()
  await expect.poll(() => runs('/bin/sleep', '3.25'), { timeout: 10_000 }).toBe(true)
  holder.kill('SIGKILL')
  await holder.exited
  expect(await drive(begin(planFor([{ steps: [file('a', 'x')] }])))).toBe(0)
  expect(Date.now() - began).toBeGreaterThan(1_000)
})

function journalText(): string {
  const folder = join(root, 'state/journal')
  if (!existsSync(folder)) return ''
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')
}

test.each(['interrupt', 'SIGTERM', 'end of input'])(
  '%s lets the change under way finish, and nothing after it begins',
  async (way) => {
    const slow = step('slow', 'command', { argv: ['/bin/sh', at('slow.sh')] })
    const plan = planFor([
      {
        steps: [
          file('slow.sh', `sleep 1\necho done > ${at('finished')}\n`),
          slow,
          file('after', 'x'),
        ],
      },
    ])
    const runner = begin(plan)
    const exited = drive(runner)
    await expect.poll(() => journalText(), { timeout: 10_000 }).toContain('slow.sh","folders":[]')
    if (way === 'interrupt') runner.send({ type: 'interrupt' })
    if (way === 'SIGTERM') runner.kill('SIGTERM')
    if (way === 'end of input') runner.end()
    expect(await exited).toBe(way === 'end of input' ? 4 : 130)
    expect([existsSync(at('finished')), existsSync(at('after'))]).toEqual([true, false])
    expect(await drive(begin(plan))).toBe(0)
    expect(existsSync(at('after'))).toBe(true)
  },
)

test('a blob comes on request, raw bytes behind its line, and lands whole', async () => {
  const bytes = Buffer.concat([Buffer.from('{"type":"interrupt"}\n'), Buffer.alloc(300_000, 7)])
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const install = step('install', 'artifact', {
    path: at('tool'),
    source: { blob: 'tool' },
    sha256,
    mode: '0755',
  })
  const runner = begin(planFor([{ steps: [install] }]))
  const exited = drive(runner)
  expect(await runner.message(isType('need-blob'))).toMatchObject({ sha256 })
  runner.send({ type: 'blob', sha256, bytes: bytes.length })
  runner.sendRaw(bytes)
  expect(await exited).toBe(0)
  expect(readFileSync(at('tool')).equals(bytes)).toBe(true)
  expect(statSync(at('tool')).mode & 0o777).toBe(0o755)
})

test('an artifact that the controller lost fails its step in words', async () => {
  const install = step('install', 'artifact', {
    path: at('tool'),
    source: { blob: 'tool' },
    sha256: 'ab'.repeat(32),
    mode: '0755',
  })
  const runner = begin(planFor([{ steps: [install] }]))
  const exited = drive(runner)
  const { sha256 } = await runner.message(isType('need-blob'))
  runner.send({ type: 'no-blob', sha256, reason: 'the file is gone' })
  expect(await exited).toBe(3)
  expect(JSON.stringify(runner.events)).toContain('the file is gone')
  expect(readdirSync(at('.'))).toEqual([])
})

test('a secret reaches the file that it is for, and neither events nor journal', async () => {
  const value = 'correct-horse-battery'
  const plan = planFor([
    {
      steps: [
        {
          ...file('token', ''),
          args: { path: at('token'), content: { $secret: 's1' }, mode: '0600' },
        },
        step('say', 'command', { argv: ['/bin/cat', at('token')] }),
      ],
    },
  ])
  const runner = begin(plan, {
    options: { diff: true, report: true },
    secrets: { s1: { value, origin: 'env:T' } },
  })
  expect(await drive(runner)).toBe(0)
  expect(readFileSync(at('token'), 'utf8')).toContain(value)
  expect(JSON.stringify(runner.messages)).not.toContain(value)
  expect(journalText()).not.toContain(value)
  expect(JSON.stringify(runner.messages)).toContain('********')
})

test('a site secret that lies here is told by its fingerprint, and handed out on request alone', async () => {
  const token = 'f00d'.repeat(16)
  mkdirSync(join(root, 'etc/twonode/pki'), { recursive: true })
  writeFileSync(join(root, 'etc/twonode/pki/k3s-token'), `${token}\n`, { mode: 0o600 })
  const runner = begin(planFor([{ steps: [] }]), { options: { by: `ana with ${token}` } })
  const greeting = await runner.message(isEvent('hello'))
  expect(greeting.siteSecrets['k3s-token']).toMatch(/^[0-9a-f]{64}$/)
  expect(JSON.stringify(runner.messages)).not.toContain(token)
  runner.send({ type: 'site-secret', name: 'k3s-token', action: 'export' })
  expect(await runner.message(isType('site-secret'))).toMatchObject({ value: token })
})

test("a module of the playbook's own runs on the host, and only as it was checked", async () => {
  const source = `import { defineModule } from 'twonode'
export default defineModule({
  name: 'mark',
  doc: { summary: 'A mark.', source: 'https://example.org', examples: [] },
  schema: { type: 'object', additionalProperties: false, required: ['path'], properties: { path: { type: 'string', description: 'Where.' } } },
  key: ({ path }) => ['file:' + path],
  observe: async (host, { path }) => (await host.stat(path)) !== undefined,
  diff: (there, { path }) => (there ? [] : [{ kind: 'directory', path, mode: 0o755, owner: 'root', group: 'root' }]),
})`
  const sha256 = createHash('sha256').update(source).digest('hex')
  const own = { name: 'mark', sha256, source, schema: { type: 'object' } }
  const plan = planFor([{ steps: [step('mark it', 'mark', { path: at('mark') })] }])
  expect(await drive(begin({ ...plan, customModules: [own] }))).toBe(0)
  expect(existsSync(at('mark'))).toBe(true)
  const damaged = begin({ ...plan, customModules: [{ ...own, source: `${source}// more` }] })
  await damaged.message(isEvent('hello'))
  damaged.send({ type: 'go', pair: PAIR, solo: true })
  expect(await damaged.exited).toBe(5)
})

test('the program as it is shipped says hello over a pipe, and runs plans of its own folder alone', async () => {
  const shipped = await buildRunner('src/runner/main.ts')
  try {
    const runner = new RunnerProcess(shipped, 'runner')
    running.push(runner)
    const bundle = basename(dirname(shipped.file))
    const plan = { ...planFor([{ steps: [file('a', 'x')] }]), bundle }
    const options = { ...OPTIONS, check: true }
    runner.send({ type: 'plan', plan, host: 'h1', options, secrets: {}, blobs: {} })
    expect(await drive(runner, true)).toBe(10)
  } finally {
    shipped.remove()
  }
})
