import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { inHost, packagedHosts, steps } from './pair.ts'
import {
  changesOf,
  convergeEvents,
  convergeText,
  expectToConverge,
  laptopFile,
  mustRun,
  ON_H1,
  playOf,
} from './small_play.ts'
import {
  changedCounts,
  explain,
  finished,
  startTwonode,
  type Laptop,
  type Run,
} from '../../lab/twonode_process.ts'
import type { Lab } from '../../lab/lab.ts'

let lab: Lab
let from: Laptop

beforeAll(async () => {
  ;({ lab, from } = await packagedHosts())
})

/** One thing that a host can have: what makes it, what takes it away, and what shows that it is there. */
interface Law {
  readonly module: string
  readonly present: string
  readonly absent: string
  /** Exits 0 when it is there, with these words. */
  readonly shown: readonly string[]
  readonly says?: string
  /** What making it again takes, where `absent` leaves something by design: a live value, a file. */
  readonly again?: readonly string[]
}

const UNIT = '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n'

// oxfmt-ignore
const LAWS: readonly Law[] = [
  {
    module: 'package', present: 'package: { name: strace }', absent: 'package: { name: strace, state: absent }',
    shown: ['strace', '--version'],
  },
  {
    module: 'user', present: 'user: { name: lawful, system: true, home: /srv/lawful, create_home: true, shell: /bin/sh, groups: [adm] }', absent: 'user: { name: lawful, state: absent }',
    shown: ['id', 'lawful'], says: '(adm)',
  },
  {
    module: 'sysctl', present: 'sysctl: { name: net.ipv4.tcp_fin_timeout, value: "31" }', absent: 'sysctl: { name: net.ipv4.tcp_fin_timeout, state: absent }',
    shown: ['cat', '/proc/sys/net/ipv4/tcp_fin_timeout', '/etc/sysctl.d/60-net-ipv4-tcp_fin_timeout.conf'], says: '31', again: ['create /etc/sysctl.d/60-net-ipv4-tcp_fin_timeout.conf (0644 root:root)'],
  },
  {
    module: 'systemd_unit', present: `systemd_unit: { name: lawful.service, content: "${UNIT}", drop_ins: { nice.conf: "[Service]\\nNice=5\\n" }, state: started, enabled: true }`, absent: 'systemd_unit: { name: lawful.service, state: stopped, enabled: false }',
    shown: ['systemctl', 'show', '--value', '--property=ActiveState,UnitFileState,Nice', 'lawful.service'], says: 'active', again: ['run systemctl enable lawful.service', 'run systemctl start lawful.service'],
  },
  {
    module: 'lines', present: 'lines: { path: /etc/lawful.conf, lines: [one, two], create: true, mode: "0640" }', absent: 'lines: { path: /etc/lawful.conf, lines: [one, two], state: absent }',
    shown: ['grep', '-x', 'two', '/etc/lawful.conf'], again: ['write /etc/lawful.conf (0640 root:root)'],
  },
  {
    module: 'command', present: 'command: { argv: [touch, /srv/lawful-command], creates: /srv/lawful-command }', absent: 'command: { argv: [rm, /srv/lawful-command], removes: /srv/lawful-command }',
    shown: ['test', '-e', '/srv/lawful-command'],
  },
]

describe('the laws', () => {
  const playbook = (want: 'present' | 'absent'): string =>
    playOf(from, want, Object.fromEntries(LAWS.map((law) => [law.module, law[want]])))

  const runs: Record<string, Run> = {}
  const shown: Record<string, string> = {}

  beforeAll(async () => {
    const [present, absent] = [playbook('present'), playbook('absent')]
    runs['check'] = await mustRun(from, [present, ...ON_H1, '--check'])
    runs['make'] = await mustRun(from, [present, ...ON_H1])
    for (const { module, shown: argv } of LAWS) {
      const { code, stdout, stderr } = await lab.exec('h1', argv)
      shown[module] = `${code} ${stdout}${stderr}`
    }
    runs['make again'] = await mustRun(from, [present, ...ON_H1])
    runs['take away'] = await mustRun(from, [absent, ...ON_H1])
    runs['take away again'] = await mustRun(from, [absent, ...ON_H1])
    runs['check again'] = await mustRun(from, [present, ...ON_H1, '--check'])
  })

  const made = (what: string, module: string): readonly string[] => {
    const run = runs[what]
    return run === undefined ? [] : (changesOf(run)[module] ?? [])
  }

  test.each(LAWS)('$module: check says what converge then does', ({ module, says = '' }) => {
    expect(made('check', module).length).toBeGreaterThan(0)
    expect(made('make', module)).toEqual(made('check', module))
    expect(shown[module]).toMatch(/^0 /)
    expect(shown[module]).toContain(says)
  })

  test.each(LAWS)('$module: the second run finds nothing to do', ({ module }) => {
    expect(made('make again', module)).toEqual([])
    expect(made('take away again', module)).toEqual([])
  })

  test.each(LAWS)('$module: what was made and taken away is absent', ({ module, again }) => {
    expect(made('take away', module).length).toBeGreaterThan(0)
    expect(made('check again', module)).toEqual(again ?? made('check', module))
  })
})

describe('wait_for', () => {
  test('waits for a path that appears, and the second run has nothing to wait for', async () => {
    const wait = playOf(from, 'wait', { Wait: 'wait_for: { path: /srv/awaited, timeout: 30s }' })
    const check = await convergeEvents(from, [wait, ...ON_H1, '--check'])
    expect(check.code, explain(check)).toBe(10)
    const child = startTwonode(from, ['converge', wait, '-i', from.inventory, '--json', ...ON_H1])
    const waiting = new Promise((resolve) =>
      child.stdout?.on('data', (text) => {
        if (String(text).includes('wait up to 30 s for /srv/awaited')) resolve(undefined)
      }),
    )
    const run = finished(child, 60_000)
    await Promise.race([waiting, run])
    await inHost('h1', ['touch', '/srv/awaited'])
    expect(Object.keys(changesOf(await run))).toEqual(['Wait'])
    expect(changedCounts(await mustRun(from, [wait, ...ON_H1]))).toEqual({ h1: 0 })
  })

  test('says for what it has waited in vain', async () => {
    const wait = playOf(from, 'vain', {
      Vain: 'wait_for: { tcp: { address: 127.0.0.1, port: 9 }, timeout: 1s }',
    })
    const run = await convergeEvents(from, [wait, ...ON_H1])
    expect(run.code, explain(run)).toBe(3)
    expect(steps(run, 'failed')[0]?.trouble).toMatchObject({
      code: 'E_FAILED',
      message: 'h1: waited 1 s for 127.0.0.1:9 to take connections',
    })
  })
})

const GREETING = `import { defineModule } from 'twonode'

const path = '/etc/greeting'

export default defineModule({
  name: 'greeting',
  doc: { summary: 'A greeting.', source: 'https://example.org', examples: [] },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['to'],
    properties: { to: { type: 'string', description: 'Whom.' } },
  },
  key: () => ['file:' + path],
  observe: async (host) => await host.readFile(path),
  diff: (before, { to }) => {
    const content = 'Hello ' + to + '\\n'
    const file = { path, mode: 0o644, owner: 'root', group: 'root' }
    return before === content ? [] : [{ kind: 'write', ...file, content, before }]
  },
})
`

const greet = (args: string): string =>
  laptopFile(
    from,
    'own/play.yaml',
    `- hosts: all\n  tasks:\n    - name: Greet\n      greeting: ${args}\n`,
  )

describe("a module of one's own beside the playbook", () => {
  beforeAll(() => laptopFile(from, 'own/modules/greeting.mjs', GREETING))

  test('is in the plan by its hash', async () => {
    const args = ['plan', greet('{ to: world }'), '-i', from.inventory, '--json']
    const { stdout } = await finished(startTwonode(from, args), 30_000)
    const sha256 = createHash('sha256').update(GREETING).digest('hex')
    expect(JSON.parse(stdout)).toMatchObject({ customModules: [{ name: 'greeting', sha256 }] })
  })

  test('is checked, converges both hosts, and finds nothing to do afterwards', async () => {
    const check = await convergeEvents(from, [greet('{ to: world }'), '--check'])
    expect(check.code, explain(check)).toBe(10)
    const run = await expectToConverge(from, [greet('{ to: world }')])
    expect(changedCounts(run)).toEqual({ h1: 1, h2: 1 })
    expect(changesOf(run)).toEqual(changesOf(check))
    expect(await inHost('h2', ['cat', '/etc/greeting'])).toBe('Hello world')
  })

  test('has its arguments judged before a connection is opened', async () => {
    const run = await convergeText(from, [greet('{ too: world }')])
    expect(run.code, run.stderr).toBe(2)
    expect(`${run.stdout}${run.stderr}`).toMatch(/play\.yaml:4:\d+: .*too/)
  })
})
