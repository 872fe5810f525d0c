import { describe, expect, test } from 'vitest'
import type { Event, StepEvent } from '../../src/core/events.ts'
import { createReport } from '../../src/cli/report.ts'
import { testWorld, type TestWorldOptions } from './support/test_world.ts'

const step = (more: Partial<StepEvent>): StepEvent => ({
  event: 'step',
  host: 'h1',
  play: 'base',
  task: 'Write the message of the day',
  module: 'file',
  status: 'ok',
  durationMs: 5,
  ...more,
})

const progress = (elapsedMs: number): Event => ({
  event: 'progress',
  host: 'h1',
  task: 'Install',
  message: 'apt-get',
  elapsedMs,
})

const counts = { ok: 3, changed: 1, failed: 0, unknown: 0, skipped: 0 }
const summary: Event = {
  event: 'summary',
  format: 1,
  site: 'edge',
  check: false,
  durationMs: 1234,
  exitCode: 0,
  hosts: { h1: { ...counts, roundTrips: 9 }, h2: { ...counts, changed: 0, roundTrips: 9 } },
}

async function rendered(
  events: readonly Event[],
  options: {
    diff?: boolean
    verbose?: boolean
    purpose?: 'run' | 'verify'
    world?: TestWorldOptions
  } = {},
): Promise<string> {
  const world = testWorld(options.world)
  const { diff = false, verbose = false, purpose } = options
  const report = await createReport(world, {
    json: false,
    diff,
    verbose,
    ...(purpose === undefined ? {} : { purpose }),
  })
  for (const event of events) report.emit(event)
  report.end()
  return world.out()
}

describe('the report for people', () => {
  test('names what changed and how, and leaves out what had nothing to do', async () => {
    const changed = step({
      status: 'changed',
      changes: [{ summary: 'write /etc/motd (0644 root:root)', diff: '-old\n+new' }],
      durationMs: 2100,
    })
    expect(await rendered([step({}), changed, summary])).toMatchInlineSnapshot(`
      "h1  changed      Write the message of the day 2.1 s
            write /etc/motd (0644 root:root)
      site edge  h1: 3 ok, 1 changed; h2: 3 ok, 0 changed (1.2 s)
      "
    `)
  })

  test('shows of long SQL how it begins, and all of it with --diff or --verbose', async () => {
    const sql = `sql transaction in kine: create table public.kine ( ${'id bigint, '.repeat(60)})`
    const command = `run apt-get ${'--option '.repeat(30)}install postgresql-15`
    const changed = step({
      status: 'changed',
      changes: [{ summary: sql }, { summary: command }, { summary: 'sql in kine: checkpoint' }],
    })
    const [, begin = '', ...others] = (await rendered([changed])).split('\n')
    expect(begin).toMatch(/^ {6}sql transaction in kine: create table public\.kine .* …$/)
    expect(begin.length).toBeLessThanOrEqual(106)
    expect(others).toEqual([`      ${command}`, '      sql in kine: checkpoint', ''])
    expect(await rendered([changed], { diff: true })).toContain(sql)
    expect(await rendered([changed], { verbose: true })).toContain(sql)
  })

  test('shows differences when asked, coloured on a terminal only', async () => {
    const changed = step({
      status: 'would-change',
      changes: [{ summary: 'write /etc/motd', diff: '--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new' }],
    })
    const plain = await rendered([changed], { diff: true })
    expect(plain).toContain('        -old\n        +new\n')
    expect(plain).not.toContain('\u001B')
    const coloured = await rendered([changed], { diff: true, world: { env: { FORCE_COLOR: '1' } } })
    expect(coloured).toContain('\u001B[31m        -old\u001B[39m')
    const refused = await rendered([changed], {
      diff: true,
      world: { terminal: true, env: { NO_COLOR: '1' } },
    })
    expect(refused).not.toContain('\u001B[31m')
  })

  test('a failed run ends with what to do next', async () => {
    const failed = step({
      status: 'failed',
      trouble: {
        code: 'E_COMMAND_FAILED',
        exitCode: 3,
        message: 'h1: apt-get exited 100',
        hint: 'Run it on the host by hand, then run the converge again: that is safe.',
        detail: 'E: Unable to locate package\n',
      },
    })
    expect(await rendered([failed])).toMatchInlineSnapshot(`
      "h1  failed       Write the message of the day
            error E_COMMAND_FAILED: h1: apt-get exited 100
                E: Unable to locate package

      What to do next
        Run it on the host by hand, then run the converge again: that is safe.
          h1: Write the message of the day
      "
    `)
  })

  test('unknown says why, notes are shown even when nothing changed', async () => {
    const unknown = step({ status: 'unknown', reason: 'waits for: Install PostgreSQL' })
    const noted = step({ notes: ['the slot keeps 12 MB of WAL'] })
    const text = await rendered([unknown, noted])
    expect(text).toContain(
      'unknown      Write the message of the day\n      waits for: Install PostgreSQL\n',
    )
    expect(text).toContain('note the slot keeps 12 MB of WAL')
  })

  test('control characters of a host can not reach the terminal', async () => {
    const sly = step({ status: 'changed', changes: [{ summary: 'write \u001B[2Jx\u0007' }] })
    expect(await rendered([sly])).toContain('write \\x1b[2Jx\\x07')
  })

  test('without a terminal a long step says so once in 15 seconds', async () => {
    const text = await rendered([2000, 4000, 16_000, 18_000, 32_000].map(progress))
    expect(text).toBe('h1  16 s  Install: apt-get\nh1  32 s  Install: apt-get\n')
  })

  test('a long command does not push the seconds off a narrow terminal', async () => {
    const message = `run apt-get install ${'package '.repeat(20)}\nand more`
    const text = await rendered([{ ...progress(16_000), message } as Event])
    expect(text).toMatch(/^h1  16 s  Install: run apt-get install .*…\n$/)
    expect(text.length).toBe(80)
  })

  test('on a terminal it is a line rewritten in place, gone at the end', async () => {
    const text = await rendered([progress(2000), summary], { world: { terminal: true } })
    expect(text).toContain('h1  2 s  Install: apt-get')
    expect(text).toContain('\u001B[2K')
  })
})

describe('the report of run', () => {
  const said = step({
    module: 'command',
    result: { code: 0, stdout: 'one\ntwo\u001B[2J\n', stderr: 'hm\n', changed: false },
  })

  test('shows what a command said below its host, harmless for the terminal', async () => {
    expect(await rendered([said], { verbose: true, purpose: 'run' })).toBe(
      'h1  ok           Write the message of the day\n      one\n      two\\x1b[2J\n      hm\n',
    )
    expect(await rendered([said], { verbose: true })).not.toContain('one')
  })

  test('shows so many lines of it, and how many more there are', async () => {
    const long = step({ result: { stdout: 'x\n'.repeat(205) } })
    const text = await rendered([long], { verbose: true, purpose: 'run' })
    expect(text.split('\n').filter((line) => line === '      x')).toHaveLength(200)
    expect(text).toContain('… 5 lines more …')
  })
})

describe('the report of verify', () => {
  const checked: Event = { ...summary, check: true }
  const trouble = { code: 'E_UNHEALTHY', exitCode: 3, message: 'down', hint: '' } as const
  const failed = (task: string, host = 'h1') => step({ host, task, status: 'failed', trouble })

  test('ends with healthy, and says nothing of changes', async () => {
    const hosts = { h1: { ...counts, changed: 0, roundTrips: 1 } }
    expect(await rendered([{ ...checked, hosts }], { purpose: 'verify' })).toBe(
      'site edge  h1: 3 ok (1.2 s)  healthy\n',
    )
  })

  test('ends with the number of findings, each counted once', async () => {
    const found: readonly Event[] = [
      step({ status: 'failed', trouble }),
      step({ status: 'unknown', reason: 'cut' }),
      { event: 'trouble', host: 'h1', trouble },
      { event: 'trouble', host: 'h2', trouble },
      { event: 'trouble', trouble },
      { ...checked, exitCode: 3 },
    ]
    expect(await rendered(found, { purpose: 'verify' })).toMatch(/\(1\.2 s\) {2}4 findings$/m)
  })

  test('tells a cause that fails several checks of a host once', async () => {
    const found = [
      failed('a'),
      failed('b'),
      failed('c', 'h2'),
      { ...checked, exitCode: 3 } as const,
    ]
    const text = await rendered(found, { purpose: 'verify' })
    expect(text).toMatch(/^h1 {2}failed +b \(as before\)$/m)
    expect(text.match(/error E_UNHEALTHY: down/g)).toHaveLength(2)
    expect(text).toMatch(/ {2}2 findings$/m)
  })
})

describe('the report for programs', () => {
  test('is the events themselves, one a line', async () => {
    const world = testWorld()
    const report = await createReport(world, { json: true, diff: false, verbose: false })
    report.emit(step({}))
    report.emit(summary)
    report.end()
    const lines = world.out().trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([step({}), summary])
  })
})
