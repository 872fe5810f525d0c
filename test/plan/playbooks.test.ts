import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Plan } from '../../src/core/plan.ts'
import { compile } from '../../src/plan/compile.ts'
import { parseInventory } from '../../src/plan/inventory.ts'
import { parsePlaybook, type Files } from '../../src/plan/playbook.ts'
import { stepContext } from '../../src/plan/step_context.ts'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'

/** The real files; binaries need not be there to be compiled. */
const FILES: Files = {
  read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
  digest: () => ({ sha256: '0'.repeat(64), size: 1 }),
}

const INVENTORY = 'inventory/example.yaml'
const playbooks = readdirSync('playbooks').filter((name) => name.endsWith('.yaml'))

function compiled(name: string): Plan {
  const [site] = parseInventory(readFileSync(INVENTORY, 'utf8'), INVENTORY).sites.values()
  if (site === undefined) throw new Error('no site')
  const { plan } = compile({
    site,
    playbook: parsePlaybook(`playbooks/${name}`, FILES),
    registry,
    validate,
    extraVars: [],
    files: FILES,
    readSecret: ({ id }) => {
      throw new Error(`${id} is not expected`)
    },
    bundle: '0'.repeat(64),
    version: '0.0.0',
  })
  return plan
}

test.each(playbooks)('%s compiles for the example inventory with the real modules', (name) => {
  expect(compiled(name).plays.flatMap(({ steps }) => steps)).not.toEqual([])
})

// The other way round, a boot whose kine was let in first started it on the dead host's database.
test.each(['The leader leads', 'The follower follows'])(
  '%s: kine may run only when its file names the database of its role',
  (name) => {
    const play = compiled('role.yaml').plays.find((one) => one.name === name)
    const order = (play?.steps ?? []).flatMap(({ module, args }) => {
      if (module === 'kine_endpoint' && args['state'] !== 'left') return ['database']
      if (module === 'file' && args['path'] === '/run/twonode/kine.permit') return ['permit']
      if (module === 'systemd_unit' && args['name'] === 'kine.service') return ['start']
      return []
    })
    expect(order).toEqual(['database', 'permit', 'start'])
  },
)

// One on its way down is a process like one that runs: only systemd knows, and nothing else starts it.
test.each([
  { marked: false, running: true, asks: false },
  { marked: false, running: false, asks: true },
  { marked: true, running: true, asks: true },
])(
  'whether kine serves the leader is asked of systemd ($asks) with the branch begun: $marked, kine seen: $running',
  ({ marked, running, asks }) => {
    const { steps = [] } =
      compiled('role.yaml').plays.find(({ name }) => name === 'The leader leads') ?? {}
    const step = steps.find(({ name }) => name === 'kine serves the leader')
    if (step === undefined) throw new Error('the leader starts no kine')
    const names = {
      begun: { rows: [{ marked }] },
      fork: { exists: true },
      kine: { running },
      site: { term: 2 },
    }
    expect(stepContext(registry, new Map()).when(step, names)).toBe(asks)
  },
)
