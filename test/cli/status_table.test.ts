import { expect, test } from 'vitest'
import { statusTable } from '../../src/cli/status_table.ts'

const WHOLE = { site: 'edge', standing: 'whole', verdict: 'h1 leads, h2 follows' } as const

test('what a host does not have is a dash beside what the other one has', () => {
  const hosts = {
    h1: { reachable: true, virtualIp: '10.0.0.10' },
    h2: { reachable: true, virtualIp: null },
  }
  expect(statusTable({ ...WHOLE, hosts })).toBe(
    'site edge   h1         h2\nvirtual ip  10.0.0.10  –\n\nh1 leads, h2 follows\n',
  )
})

test('that a host is paused or frozen has a line only where one is', () => {
  const calm = { paused: false, frozen: false, impaired: false }
  const hosts = { h1: calm, h2: { ...calm, paused: true } }
  expect(
    statusTable({ ...WHOLE, hosts })
      .split('\n')
      .slice(0, 3),
  ).toEqual(['site edge  h1  h2', 'paused     no  yes', ''])
})
