import { expect, test } from 'vitest'
import { statusTable } from '../../src/cli/status_table.ts'

test('what a host does not have is a dash beside what the other one has', () => {
  const hosts = {
    h1: { reachable: true, virtualIp: '10.0.0.10' },
    h2: { reachable: true, virtualIp: null },
  }
  expect(statusTable({ site: 'edge', hosts })).toBe(
    'site edge   h1         h2\nvirtual ip  10.0.0.10  –\n',
  )
})
