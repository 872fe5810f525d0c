import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compile } from '../../src/plan/compile.ts'
import { parseInventory } from '../../src/plan/inventory.ts'
import { parsePlaybook, type Files } from '../../src/plan/playbook.ts'
import { registry } from '../../modules/index.ts'
import { validate } from '../../modules/parts/validators.ts'

/** The real files; binaries need not be there to be compiled. */
const FILES: Files = {
  read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
  digest: () => ({ sha256: '0'.repeat(64), size: 1 }),
}

const INVENTORY = 'inventory/example.yaml'
const playbooks = readdirSync('playbooks').filter((name) => name.endsWith('.yaml'))

test.each(playbooks)('%s compiles for the example inventory with the real modules', (name) => {
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
  expect(plan.plays.flatMap(({ steps }) => steps)).not.toEqual([])
})
