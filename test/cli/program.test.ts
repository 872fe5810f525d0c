import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/command_table.ts'
import { FILES, idleRunners, INVENTORY, PLAYBOOK, SECRETS } from './support/fixtures.ts'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

function twoHosts(name: string, net: number): string {
  const host = (n: number) => `{ name: ${name}${n}, address: 10.0.${net}.${n} }`
  return `{ hosts: [${host(1)}, ${host(2)}] }`
}

const world = { files: FILES, env: SECRETS }

describe('the command line', () => {
  test('without arguments is the help, exit 0', async () => {
    const { exit, out } = await runCommandLine('')
    expect(exit).toBe(0)
    expect(out).toContain('Usage: twonode [options] [command]')
    for (const { name } of COMMANDS) expect(out).toContain(`  ${name}`)
  })

  test('--version is one line', async () => {
    expect((await runCommandLine('--version')).out).toBe('1.0.0\n')
  })

  test.each([
    ['plen', "error E_USAGE: unknown command 'plen'\n  (Did you mean plan?)\n"],
    ['converge', "error E_USAGE: required option '-i, --inventory <file>' not specified\n"],
    ['plan -i inventory.yaml --chek', "error E_USAGE: unknown option '--chek'\n"],
    ['plan a b -i x', 'error E_USAGE: too many arguments'],
    ['plan -i nothing.yaml', 'error E_FILE: there is no inventory nothing.yaml\n'],
    ['plan no.yaml -i inventory.yaml', 'error E_FILE: there is no playbook no.yaml\n'],
    ['plan site.yaml -i inventory.yaml --site egde', 'Did you mean `edge`?'],
    [
      'converge site.yaml -i inventory.yaml --limit h3',
      'error E_USAGE: --limit: there is no host h3',
    ],
    ['converge site.yaml -i inventory.yaml --tags modt', 'Did you mean `motd`?'],
    ['converge site.yaml -i inventory.yaml --lock-timeout 30', '--lock-timeout 30 is no duration'],
    ['converge site.yaml -i inventory.yaml -e motd', 'error E_USAGE'],
    ['run fil path=/x -i inventory.yaml', 'Did you mean `file`?'],
    ['run file path -i inventory.yaml', '"path" is not NAME=VALUE'],
    ['vars modt -i inventory.yaml -p site.yaml', 'Did you mean `motd`?'],
    ['docs fil', 'Did you mean `file`?'],
    ['completion csh', 'Shells: bash, zsh, fish.'],
    ['init own.yaml', 'nobody is there to ask'],
    ['init', 'inventory.yaml exists already'],
  ])('%s is refused with exit 2 and no connection', async (line, message) => {
    const { exit, out, err } = await runCommandLine(line, world)
    expect(err).toContain(message)
    expect(out).toBe('')
    expect(exit).toBe(2)
  })

  test('all mistakes of a playbook are told at once, each with its place, and to programs as JSON', async () => {
    const files = {
      ...FILES,
      'bad.yaml': `- hosts: all\n  tasks:\n    - file: { path: /x, conten: y }\n    - fiel: { path: /y }\n`,
    }
    const { exit, out, err } = await runCommandLine('converge bad.yaml -i inventory.yaml --json', {
      ...world,
      files,
    })
    expect(exit).toBe(2)
    expect(err).toMatch(/^error E_ARGUMENT bad\.yaml:3:\d+: /m)
    expect(err).toMatch(/^error E_PLAYBOOK bad\.yaml:4:\d+: /m)
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string })
    expect(events.map(({ event }) => event)).toEqual(['trouble', 'trouble'])
  })

  test('a fault of our own is exit 70 and asks for a report', async () => {
    const { exit, err } = await runCommandLine('converge site.yaml -i inventory.yaml', {
      ...world,
      env: { ...SECRETS },
      open: () => {
        throw new RangeError('off by one')
      },
    })
    expect(err).toBe('')
    expect(exit).toBe(70)
  })
})

describe('without a connection', () => {
  test('plan prints plays and tasks with their places, and warns', async () => {
    const files = { ...FILES, 'own.yaml': `${PLAYBOOK}    - command: { argv: [date] }\n` }
    const { exit, out, err } = await runCommandLine('plan own.yaml -i inventory.yaml', {
      ...world,
      files,
    })
    expect(exit).toBe(0)
    expect(out).toMatchInlineSnapshot(`
      "site edge  h1 10.0.0.11, h2 10.0.0.12; h1 leads at first

      Base  on all
        1.1   The message of the day is ours  file  (tags motd)  own.yaml:4:7
        1.2   The token is there  file  own.yaml:7:7
        1.3   command  command  own.yaml:9:7
      "
    `)
    expect(err).toMatchInlineSnapshot(`
      "warning own.yaml:9:7: command: the task has no name: it will show as "command"
      warning own.yaml:9:7: command: the command runs, and counts as a change, in every converge: give it one of creates, removes, unless, changed_when, read_only
      "
    `)
  })

  test('plan --json is the plan, with references in place of secrets', async () => {
    const { out } = await runCommandLine('plan site.yaml -i inventory.yaml --json', world)
    const plan = JSON.parse(out) as { plays: readonly unknown[] }
    expect(plan.plays).toHaveLength(1)
    expect(out).toContain('{"$secret":"env:TOKEN"}')
    for (const value of Object.values(SECRETS)) expect(out).not.toContain(value)
  })

  test('without a playbook it is site.yaml of the package', async () => {
    const files = { 'inventory.yaml': INVENTORY, [`${PLAYBOOKS}/site.yaml`]: PLAYBOOK }
    const { exit, out } = await runCommandLine('converge -i inventory.yaml --list-tasks', {
      ...world,
      files,
    })
    expect(exit).toBe(0)
    expect(out).toContain('1.1   The message of the day is ours  file')
  })

  test('--list-hosts names the hosts that take part', async () => {
    const { out } = await runCommandLine(
      'converge site.yaml -i inventory.yaml --list-hosts --limit h2',
      world,
    )
    expect(out).toBe('edge  h2  10.0.0.12\n')
  })

  test('vars says where each value comes from, the one that counts marked, secrets by name', async () => {
    const files = {
      ...FILES,
      'site.yaml': PLAYBOOK.replace(
        '  hosts: all',
        '  hosts: all\n  vars: { motd: low, key: !secret { env: TOKEN } }',
      ),
    }
    const { out } = await runCommandLine(
      'vars -i inventory.yaml -p site.yaml -e motd=high --limit h1',
      { ...world, files },
    )
    expect(out).toMatchInlineSnapshot(`
      "* h1  key = "!secret env:TOKEN"  playbook, site.yaml:3:22
        h1  motd = "low"  playbook, site.yaml:3:11
        h1  motd = "hello"  site, inventory.yaml:6:3
      * h1  motd = "high"  command line, -e:1:1
      "
    `)
  })
})

describe('a run', () => {
  test('with nothing to do ends with the summary as its last line', async () => {
    const { open, sent, requests } = idleRunners()
    const { exit, out, err } = await runCommandLine('converge site.yaml -i inventory.yaml --json', {
      ...world,
      open,
    })
    expect(err).toBe('')
    expect(exit).toBe(0)
    const last = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as unknown
    const counts = { ok: 0, changed: 0, failed: 0, unknown: 0, skipped: 0, roundTrips: 9 }
    expect(last).toEqual({
      event: 'summary',
      format: 1,
      site: 'edge',
      check: false,
      durationMs: 0,
      exitCode: 0,
      hosts: { h1: counts, h2: counts },
    })
    expect(sent.map(({ type }) => type)).toEqual(['go', 'go'])
    expect(requests.map(({ opening }) => opening.type)).toEqual(['plan', 'plan'])
  })

  test('gives each host its own sudo password, and the plan its secrets beside it', async () => {
    const { open, requests } = idleRunners()
    await runCommandLine('converge site.yaml -i inventory.yaml', { ...world, open })
    expect(requests.map(({ sudoPassword }) => sudoPassword?.origin)).toEqual([
      undefined,
      'env:SUDO',
    ])
    const [first] = requests
    const opening = first?.opening.type === 'plan' ? first.opening : undefined
    expect(opening?.secrets).toEqual({
      'env:TOKEN': { value: 'planted-token', origin: 'env:TOKEN' },
    })
    expect(JSON.stringify(opening?.plan)).not.toContain('planted-token')
  })

  test('never prints a secret, not even one that a host let slip', async () => {
    const { open } = idleRunners((host) => [
      { event: 'note', host, level: 'info', message: 'saw planted-token and sudo-password' },
    ])
    for (const line of [
      'converge site.yaml -i inventory.yaml',
      'converge site.yaml -i inventory.yaml --json',
    ]) {
      const { out } = await runCommandLine(line, { ...world, open })
      expect(out).toContain('saw ******** and ********')
    }
  })

  test('without its secret is refused before any connection', async () => {
    const { exit, err } = await runCommandLine('converge site.yaml -i inventory.yaml', {
      files: FILES,
      env: { SUDO: 'sudo-password' },
    })
    expect(err).toContain('error E_SECRET site.yaml:8:50:')
    expect(err).toContain('the secret env:TOKEN is not set')
    expect(exit).toBe(2)
  })

  test('--ask-sudo-password asks once for all hosts, and needs somebody to ask', async () => {
    const { open, requests } = idleRunners()
    const line = 'converge site.yaml -i inventory.yaml --ask-sudo-password'
    const refused = await runCommandLine(line, { ...world, open })
    expect(refused.exit).toBe(2)
    expect(refused.err).toContain('TWONODE_SUDO_PASSWORD')
    await runCommandLine(line, { ...world, open, answers: ['typed-password'] })
    expect(requests.map(({ sudoPassword }) => sudoPassword?.origin)).toEqual([
      'the terminal',
      'env:SUDO',
    ])
  })

  test('Ctrl-C twice ends it with 130', async () => {
    const { testWorld } = await import('./support/test_world.ts')
    const { main } = await import('../../src/cli/program.ts')
    const silent = idleRunners()
    const laptop = testWorld({
      ...world,
      open: async (request, listener) => {
        const session = await silent.open(request, listener)
        return { ...session, send: () => {} }
      },
    })
    const running = main(['converge', 'site.yaml', '-i', 'inventory.yaml'], laptop)
    await expect.poll(() => silent.requests.length).toBe(2)
    laptop.interrupt()
    laptop.interrupt()
    expect(await running).toBe(130)
    expect(laptop.out()).toContain('interrupted: each host ends after its current change')
  })

  test('run makes a playbook of one task from its arguments', async () => {
    const { open, requests } = idleRunners()
    const { exit } = await runCommandLine(
      'run file path=/etc/motd content=12 mode=0644 -i inventory.yaml --lock-timeout 2m',
      { ...world, open },
    )
    expect(exit).toBe(0)
    const [first] = requests
    const opening = first?.opening.type === 'plan' ? first.opening : undefined
    expect(opening?.options).toMatchObject({ report: true, lockTimeoutMs: 120_000 })
    expect(opening?.plan.plays[0]?.steps[0]?.args).toMatchObject({
      path: '/etc/motd',
      content: '12',
      mode: '0644',
    })
  })

  test('run refuses a wrong argument without naming a line that nobody wrote', async () => {
    const { exit, err } = await runCommandLine(
      'run file path=/etc/motd conten=x -i inventory.yaml',
      world,
    )
    expect(exit).toBe(2)
    expect(err).toMatch(/^error E_ARGUMENT: .*conten/)
  })

  test('of many sites ends with one summary a site; --limit leaves sites out', async () => {
    const inventory = `sites:\n  north: ${twoHosts('n', 1)}\n  south: ${twoHosts('s', 2)}\n`
    const files = {
      'inventory.yaml': inventory,
      'site.yaml': '- { hosts: all, tasks: [{ name: t, directory: { path: /x } }] }\n',
    }
    const { open, requests } = idleRunners()
    const line = 'converge site.yaml -i inventory.yaml --json'
    const { exit, out } = await runCommandLine(line, { files, open })
    expect(exit).toBe(0)
    const events = out
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { event: string; site?: string })
    const sites = events.flatMap(({ event, site: name }) => (event === 'summary' ? [name] : []))
    expect(new Set(sites)).toEqual(new Set(['north', 'south']))
    expect(requests).toHaveLength(4)
    await runCommandLine(`${line} --limit s2`, { files, open })
    expect(requests.slice(4).map(({ host }) => host.name)).toEqual(['s2'])
  })
})
