import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { Json, JsonObject } from '../../src/core/json.ts'
import { compileSites } from '../../src/cli/compile_sites.ts'
import {
  bootTasks,
  COMMAND_MS,
  drainTasks,
  listTasks,
  takeBackTasks,
  upgradeAllTasks,
  upgradeTasks,
} from '../../src/cli/upgrade_tasks.ts'
import { FILES, SECRETS } from './support/fixtures.ts'
import { testWorld } from './support/test_world.ts'

/** As the hosts get them. */
async function compiled(tasks: readonly object[]) {
  const text = stringify([{ name: 'Upgrade', hosts: 'all', tasks }])
  const selection = { inventory: 'inventory.yaml', sites: [], limit: [], extraVars: [], tags: [] }
  const world = testWorld({ files: FILES, env: SECRETS })
  const sites = await compileSites({ kind: 'text', text, name: 'upgrade' }, selection, world)
  return sites[0]?.compiled.plan.plays.flatMap(({ steps }) => steps) ?? []
}

const argvOf = (task: object): readonly string[] =>
  ((task as JsonObject)['command'] as Record<'argv', readonly string[]>).argv

test.each<[string, readonly object[]]>([
  ['the package lists', listTasks()],
  ["PostgreSQL's packages", upgradeTasks(['postgresql-15'])],
  ['all packages', upgradeAllTasks()],
  ['a drain', drainTasks('h1', 'there', { timeout: '20m', force: true })],
  ['taking a node back', takeBackTasks('h1')],
  ['a boot', bootTasks()],
])('28: no task cuts its own command short: %s', async (_, tasks) => {
  const steps = await compiled(tasks)
  expect(steps).toHaveLength(tasks.length)
  for (const { timeoutMs } of steps) expect(timeoutMs).toBe(COMMAND_MS)
})

test.each<[string, readonly object[]]>([
  ['postgresql-15', upgradeTasks(['postgresql-15'])],
  ['upgrade', upgradeAllTasks()],
])(
  "28: another's apt is waited for, and what it left half done is finished before %s",
  (word, tasks) => {
    const argvs = tasks.map(argvOf)
    expect(argvs.map((argv) => argv.at(-1))).toEqual(['-a', 'install', word])
    expect(argvs.map(([program]) => program)).toEqual(['dpkg', 'apt-get', 'apt-get'])
    for (const argv of argvs.slice(1)) expect(argv).toContain('DPkg::Lock::Timeout=600')
    // dpkg itself waits for nobody: ten minutes of tries.
    const [{ retries, delay }] = tasks as [{ retries: number; delay: string }]
    expect([retries, delay]).toEqual([39, '15s'])
  },
)

test('28: apt asks nobody, and restarts nothing but what its packages do', () => {
  const env = upgradeAllTasks().map(
    (task) => ((task as JsonObject)['command'] as JsonObject)['env'],
  )
  for (const one of env)
    expect(one as Json).toMatchObject({ DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l' })
  expect(upgradeAllTasks().map(argvOf).at(-1)).toContain('Dpkg::Options::=--force-confold')
})

test.each([
  [false, []],
  [true, ['--force']],
])('28: a drain has the flags of kubectl; told to force it: %s', (force, more) => {
  const [task = {}] = drainTasks('h1', 'drained', { timeout: '20m', force })
  const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--timeout=20m', ...more]
  expect(argvOf(task).slice(2)).toEqual(['drain', 'h1', ...flags])
})
