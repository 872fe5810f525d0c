import { createHook } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'
import type { StepEvent } from '../../src/core/events.ts'
import type { Host } from '../../src/core/host.ts'
import { systemClock } from '../../src/engine/clock.ts'
import { execute } from '../../src/engine/execute.ts'
import { type Journal, openJournal } from '../../src/engine/journal.ts'
import { createFileLock, LOCK_FILE } from '../../src/engine/lock.ts'
import { namesOf, roleOf } from '../../src/engine/names.ts'
import type { Run } from '../../src/engine/ports.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { HOST_META_FILE, pairStateOf, parseHostMeta } from '../../src/pair/host_meta.ts'
import { readSite, SECRETS_FILE, SITE_FILE } from '../../src/plan/site_file.ts'
import { stepContext } from '../../src/plan/step_context.ts'

/**
 * What the agent does with the engine and nothing else, for tests on real hosts: converges the tasks of
 * these tags in process, from the site file, as the hostMeta on the disk says. `argv`: the host's name,
 * the tags, `warm` for a look beforehand, as an agent that has run for a while is warm, and where to be
 * killed: 3 before the third change, 3.5 right after it; `again`: a second time, of which the steps are
 * told. Each step is a line on stdout; the last line is what it cost.
 */
const [, , name = '', tags = '', warm = '', cutAt = '', again = ''] = process.argv
const texts = { site: readFileSync(SITE_FILE, 'utf8'), secrets: readFileSync(SECRETS_FILE, 'utf8') }
const { plan, secrets } = readSite(texts, name)
const folder = plan.site.stateDirectory
const pair = pairStateOf(parseHostMeta(readFileSync(join(folder, HOST_META_FILE), 'utf8')))
const counts = { forks: 0, queries: 0 }
createHook({
  init: (_, type) => {
    if (type === 'PROCESSWRAP') counts.forks += 1
  },
}).enable()

const lock = createFileLock({
  file: LOCK_FILE,
  holder: { pid: process.pid, runId: 'local', by: 'agent' },
  timeoutMs: 5_000,
  clock: systemClock,
  now: () => new Date(),
  onWait: () => {},
})
const { port } = plan.site.postgres
const local = createLocalHost({ name, port, lockFd: () => lock.fd(), direct: true })
const host: Host = {
  ...local,
  sql: async (...asked) => {
    counts.queries += 1
    return await local.sql(...asked)
  },
  transaction: async (...asked) => {
    counts.queries += 1
    await local.transaction(...asked)
  },
}
const steps: StepEvent[] = []
const begins = new Map<string, number>()

const names = namesOf({ plan, host: name, pair, facts: {} })

function runOf(check: boolean): Run {
  const runId = `local-${process.pid}`
  return {
    plan,
    options: {
      check,
      diff: false,
      tags: tags.split(','),
      limit: [name],
      lockTimeoutMs: 5_000,
      runId,
      by: 'agent',
      allowDowngrade: false,
      report: true,
    },
    host,
    role: roleOf(name, pair),
    solo: false,
    straight: !check && warm === 'warm',
    names,
    namesNow: async () => names,
    registry,
    validate,
    evaluator: stepContext(registry, secrets),
    control: {
      observed: async () => ({ kind: 'apply', firstBarrier: Number.POSITIVE_INFINITY }),
      barrier: async () => ({ kind: 'proceed', peerChanged: false }),
      stop: new AbortController().signal,
      peerFailed: () => undefined,
    },
    lock,
    journal: killing(
      openJournal({
        folder: join(folder, 'journal'),
        runId,
        by: 'agent',
        version: plan.version,
        redact: (text) => text,
        now: () => new Date(),
      }),
    ),
    clock: systemClock,
    appliedFile: '/run/twonode/applied-locally.json',
    emit: (event) => {
      if (event.event === 'step' && !check) steps.push(event)
      if (event.event === 'step' && !check) begins.set(event.task, performance.now())
    },
  }
}

if (warm === 'warm')
  for (let i = 0; i < 3; i += 1) await execute({ ...runOf(true), control: looksOnly() })
counts.forks = 0
counts.queries = 0
await lock.take(new AbortController().signal)
let begin = performance.now()
let exitCode = await execute(runOf(false))
const ms = performance.now() - begin
if (again === 'again' && exitCode === 0) {
  steps.length = 0
  begin = performance.now()
  exitCode = await execute(runOf(false))
}
await lock.release()
for (const step of steps) {
  const at = Math.round((begins.get(step.task) ?? begin) - begin)
  process.stdout.write(`${JSON.stringify({ at, ...step })}\n`)
}
process.stdout.write(`${JSON.stringify({ exitCode, ms: Math.round(ms), ...counts })}\n`)
await local.close()
process.exit(exitCode)

/** The journal hears of each change before it and after it. */
function killing(journal: Journal): Journal {
  if (cutAt === '') return journal
  let change = 0
  const die = (at: number) => {
    if (at === Number(cutAt)) process.kill(process.pid, 'SIGKILL')
  }
  return {
    leftBehind: () => journal.leftBehind(),
    owe: (...told) => journal.owe(...told),
    settle: (...told) => journal.settle(...told),
    owed: () => journal.owed(),
    end: (...told) => journal.end(...told),
    intend: (...told) => {
      change += 1
      die(change)
      journal.intend(...told)
    },
    done: (...told) => {
      journal.done(...told)
      die(change + 0.5)
    },
  }
}

function looksOnly(): Run['control'] {
  return { ...runOf(true).control, observed: async () => ({ kind: 'end' }) }
}
