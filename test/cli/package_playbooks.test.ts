import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PLAYBOOKS, runCommandLine } from './support/test_world.ts'

const FOLDER = join(import.meta.dirname, '../../playbooks')

const INVENTORY = `name: edge
hosts:
  - { name: h1, address: 10.0.0.11 }
  - { name: h2, address: 10.0.0.12 }
virtualIp: { address: 10.0.0.10, prefix: 24, interface: eth0 }
kine: { path: kine }
k3s: { path: k3s }
gateways: [10.0.0.1]
`

function packaged(): Record<string, string> {
  const names = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => /\.[a-z0-9]+$/.test(name))
  return Object.fromEntries(
    files.map((name) => [join(PLAYBOOKS, name), readFileSync(join(FOLDER, name), 'utf8')]),
  )
}

test.each(['site.yaml', 'verify.yaml', 'status.yaml'])(
  '%s compiles, with and without a virtual address, and no warning is due',
  async (name) => {
    const files = { ...packaged(), 'inventory.yaml': INVENTORY, kine: 'kine', k3s: 'k3s' }
    const plain = { ...files, 'inventory.yaml': INVENTORY.replace(/^virtualIp.*\n/m, '') }
    for (const one of [files, plain]) {
      const { exit, err } = await runCommandLine(`plan ${PLAYBOOKS}/${name} -i inventory.yaml`, {
        files: one,
      })
      const warnings = err.split('\n').filter((line) => line.startsWith('warning'))
      expect({ exit, warnings, err: exit === 0 ? '' : err }).toEqual({
        exit: 0,
        warnings: [],
        err: '',
      })
    }
  },
)
