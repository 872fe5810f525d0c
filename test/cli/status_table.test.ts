import { expect, test } from 'vitest'
import { statusTable } from '../../src/cli/status_table.ts'

test('of the address that follows the leader the address is shown, on the host that has it', () => {
  const hosts = {
    h1: { reachable: true, virtualIp: 'eth0             UP             10.0.0.10/24' },
    h2: { reachable: true, virtualIp: null },
  }
  expect(statusTable({ site: 'edge', hosts })).toBe(
    'site edge   h1         h2\nvirtual ip  10.0.0.10  –\n',
  )
})
