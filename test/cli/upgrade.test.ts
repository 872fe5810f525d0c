import { expect, test } from 'vitest'
import {
  type HostState,
  packagesIn,
  refuseDowngrades,
  stopsPostgres,
  type UpgradeWanted,
  upgradeText,
  versionIn,
  workOf,
} from '../../src/cli/upgrade_plan.ts'
import {
  bootIn,
  DRAINED_MARK,
  type LookedHost,
  nodeIn,
  whyNotBooted,
  whyNotReady,
} from '../../src/cli/upgrade_look.ts'
import { FILES, SECRETS } from './support/fixtures.ts'
import { runCommandLine } from './support/test_world.ts'

const NOTHING: UpgradeWanted = {
  kine: undefined,
  k3s: undefined,
  postgresMajor: undefined,
  postgresMinor: false,
  packages: false,
  reboot: false,
  keepRoles: false,
  allowDowngrade: false,
}
const OLD = { current: false, version: 'v1.33.0+k3s1' }
const CURRENT = { current: true, version: 'v1.34.1+k3s1' }

function host(name: string, more: Partial<HostState> = {}): HostState {
  const programs = { kine: CURRENT, k3s: OLD }
  const packages = { postgresPackages: [], packages: ['libc6'] }
  return {
    name,
    leads: name === 'h1',
    ...programs,
    ...packages,
    upMs: 86_400_000,
    boot: 'none',
    dpkgCut: false,
    node: 'none',
    postgres: { serves: 15, site: 15, keptAside: [], size: null, room: null },
    ...more,
  }
}

test('28: the follower has its turn first, and only for what is not done yet', () => {
  const wanted = { ...NOTHING, kine: 'v0.16.4', k3s: 'v1.34.1+k3s1', packages: true, reboot: true }
  expect(workOf(wanted, [host('h1'), host('h2', { k3s: CURRENT })])).toEqual([
    { name: 'h2', leads: false, work: ['packages', 'reboot'], isDrained: false },
    { name: 'h1', leads: true, work: ['k3s', 'packages', 'reboot'], isDrained: false },
  ])
})

test('a second run finds done what the first one did', () => {
  const wanted = { ...NOTHING, k3s: 'v1.34.1+k3s1', packages: true, reboot: true }
  const done = { k3s: CURRENT, packages: [], upMs: 60_000 }
  expect(workOf(wanted, [host('h1', done), host('h2', done)]).flatMap(({ work }) => work)).toEqual(
    [],
  )
})

test('what could not be found out counts as not done', () => {
  const unknown = { postgresPackages: null, upMs: null }
  const [work] = workOf({ ...NOTHING, postgresMinor: true, reboot: true }, [host('h2', unknown)])
  expect(work?.work).toEqual(['postgres-minor', 'reboot'])
})

test('28: a host boots for the packages that it gets, also if it has booted lately', () => {
  const wanted = { ...NOTHING, packages: true, reboot: true }
  const lately = { upMs: 60_000 }
  const works = (more: Partial<HostState>) => workOf(wanted, [host('h2', { ...lately, ...more })])
  expect(works({})[0]?.work).toEqual(['packages', 'reboot'])
  expect(works({ packages: [] })[0]?.work).toEqual([])
  // The run before was cut between the two.
  for (const boot of ['packages-changed', 'asked-for'] as const)
    expect(works({ packages: [], boot })[0]?.work).toEqual(['reboot'])
})

test.each([
  ['none', '1000\n'],
  ['packages-changed', '1901\n'],
  ['asked-for', '1000\n1500\n'],
  ['none', undefined],
])('a boot is wanted, or %s, by what was written since the last one', (boot, stdout) => {
  expect(bootIn(stdout === undefined ? {} : { stdout }, 2_000_000, 100_000)).toBe(boot)
})

test.each([
  ['h2 boots, or does not come back', undefined],
  ['h2 boots, or does not come back', { bootId: '', status: {} }],
  ['h2 has not gone down yet', { bootId: 'a', status: { role: 'follower' } }],
  ['h2 is back, and its agent not yet', { bootId: 'b', status: {} }],
  [undefined, { bootId: 'b', status: { role: 'follower' } }],
])('28: what a boot waits for: %s', (why, seen) => {
  expect(whyNotBooted('h2', 'a', seen)).toBe(why)
})

test.each([
  [['kine'], false],
  [['k3s', 'kine'], false],
  [['k3s', 'postgres-minor'], true],
  [['reboot'], true],
] as const)('for %j the leader goes alone first: %s (B7)', (work, does) => {
  expect(stopsPostgres({ work })).toBe(does)
})

test('the plan names the one gap of writes, or that they wait', () => {
  const works = workOf({ ...NOTHING, k3s: 'v1.34.1+k3s1' }, [host('h1'), host('h2')])
  expect(upgradeText(works, NOTHING)).toEqual([
    'h2 follows: k3s',
    'h1 leads: k3s',
    'before h1 its lead is handed over: writes stand still for a second or two, once',
  ])
  expect(upgradeText(works, { keepRoles: true }).at(-1)).toMatch(/the roles stay: nobody can write/)
})

test('a version older than what runs is refused, unless it is meant', () => {
  const wanted = { ...NOTHING, k3s: 'v1.32.9+k3s1' }
  const newer = host('h2')
  expect(() => refuseDowngrades(wanted, [newer])).toThrow('h2 has k3s v1.33.0+k3s1')
  expect(() => refuseDowngrades({ ...wanted, allowDowngrade: true }, [newer])).not.toThrow()
  const build = { ...newer, k3s: { current: false, version: 'v1.32.9+k3s2' } }
  expect(() => refuseDowngrades(wanted, [build]), 'by its build').toThrow(/older/)
  const unsaid = { ...newer, k3s: { current: false, version: null } }
  expect(() => refuseDowngrades(wanted, [unsaid])).not.toThrow()
})

test('versions and packages are read from what the programs say', () => {
  expect(versionIn('k3s version v1.34.1+k3s1 (24fc436e)\ngo version go1.24')).toBe('v1.34.1+k3s1')
  expect(versionIn('kine version dev (HEAD)')).toBeNull()
  const said =
    'Reading lists\nInst libc6 [2.36-9] (2.36-10 Debian)\nInst new-one (1 Debian)\nConf libc6'
  expect(packagesIn(said)).toEqual(['libc6'])
})

test('packages that a dpkg was cut at are an upgrade, though apt has nothing newer', () => {
  const said = '1 not fully installed or removed.\nConf postgresql-15 (15.20 Debian)\n'
  expect(packagesIn(said)).toEqual(['postgresql-15'])
})

const NODE = { kind: 'Node', metadata: { name: 'h1' }, spec: {} }
const MARKED = { metadata: { annotations: { [DRAINED_MARK]: 'upgrade' } } }

test.each([
  ['none', { code: 1, stderr: 'Error from server (NotFound): nodes "h1" not found' }],
  ['unknown', { code: 1, stderr: 'The connection to the server was refused' }],
  ['unknown', { code: 0, stdout: '{"kind":' }],
  ['unknown', {}],
  ['there', { code: 0, stdout: JSON.stringify(NODE) }],
  ['cordoned', { code: 0, stdout: JSON.stringify({ ...NODE, spec: { unschedulable: true } }) }],
  ['drained', { code: 0, stdout: JSON.stringify({ ...NODE, ...MARKED }) }],
])('a node is %s by what kubectl says', (state, said) => {
  expect(nodeIn(said)).toBe(state)
})

const LEADER: LookedHost = {
  ...host('h1'),
  bootId: 'a',
  status: { mode: 'paired', settled: 'yes', stream: 'caught-up' },
}
const FOLLOWER: LookedHost = {
  ...host('h2'),
  bootId: 'b',
  status: { settled: 'yes', promotable: true },
}

test.each<[string, readonly LookedHost[], string]>([
  ['one host is away', [LEADER], 'one host leads and one follows: h1 could be looked at'],
  [
    'it leads alone',
    [{ ...LEADER, status: { ...LEADER.status, mode: 'alone' } }, FOLLOWER],
    'h1 leads alone',
  ],
  [
    'it lags',
    [{ ...LEADER, status: { ...LEADER.status, stream: 'behind' } }, FOLLOWER],
    'h2 is behind',
  ],
  [
    'its API server gives no answer',
    [LEADER, { ...FOLLOWER, node: 'unknown' }],
    'Kubernetes does not say what node h2 is',
  ],
  ['it has no proof', [LEADER, { ...FOLLOWER, status: { settled: 'yes' } }], 'h2 has no proof yet'],
])('a gate does not open while %s', (_, hosts, why) => {
  expect(whyNotReady(hosts)).toBe(why)
  expect(whyNotReady([LEADER, FOLLOWER])).toBeUndefined()
})

test.each([
  ['upgrade -i inventory.yaml', /an upgrade of what\?/],
  ['upgrade -i inventory.yaml --kine v9.9.9', /--kine v9.9.9: the inventory has v/],
  ['upgrade -i inventory.yaml --k3s v9.9.9', /--k3s v9.9.9: the inventory has v/],
])('%s is refused before a connection is opened', async (line, words) => {
  const { exit, err } = await runCommandLine(line, { files: FILES, env: SECRETS })
  expect([exit, err]).toEqual([2, expect.stringMatching(words)])
})
