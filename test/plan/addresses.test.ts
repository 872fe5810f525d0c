import { isIP } from 'node:net'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  canonicalAddress,
  familyOf,
  isNetwork,
  parseEndpoint,
  sameSubnet,
} from '../../src/plan/addresses.ts'

/** Node's own judge, which this folder may not import: what it says, in our words. */
const judged = (text: string) => [undefined, 4, 6][[0, 4, 6].indexOf(isIP(text))]

// oxfmt-ignore
const EDGES = [
  '0.0.0.0', '255.255.255.255', '256.1.1.1', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.4.', ' 1.2.3.4', '::', '::1', '1::', 'fd00::1',
  '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', '1::2::3', ':1', '1:', ':::', '12345::', 'g::', '::ffff:10.0.0.1',
  '::10.0.0.256', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', '1.2.3.4::', '::1.2.3.4:1', 'fe80::1%eth0', '', 'host',
]

test.each(EDGES)('%j is an address if Node says so', (text) => {
  expect(familyOf(text)).toBe(judged(text))
})

test('any text is an address if Node says so', () => {
  const near = fc.string({
    unit: fc.constantFrom('0', '1', '25', 'f', ':', '::', '.'),
    maxLength: 12,
  })
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near), (text) => {
      expect(familyOf(text)).toBe(judged(text))
    }),
    { numRuns: 2_000 },
  )
})

test('spellings of one address are equal, and subnets are told by their bits', () => {
  expect(canonicalAddress('fd00:0:0::0001')).toBe(canonicalAddress('fd00::1'))
  expect(canonicalAddress('10.0.0.1')).not.toBe(canonicalAddress('::10.0.0.1'))
  expect(sameSubnet('10.0.0.1', '10.0.0.255', 24)).toBe(true)
  expect(sameSubnet('10.0.0.1', '10.0.1.1', 24)).toBe(false)
  expect(sameSubnet('10.0.0.1', '10.0.1.1', 23)).toBe(true)
  expect(sameSubnet('fd00::1', 'fd00::ffff', 112)).toBe(true)
  expect(sameSubnet('10.0.0.1', 'fd00::1', 1)).toBe(false)
  expect(sameSubnet('10.0.0.1', '10.0.0.2', 64)).toBe(false)
})

test('end points and networks have their forms', () => {
  expect(parseEndpoint('10.0.0.1:6443')).toEqual({ address: '10.0.0.1', port: 6443 })
  expect(parseEndpoint('[fd00::1]:6443')).toEqual({ address: 'fd00::1', port: 6443 })
  const noEndpoints = [
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    'fd00::1:6443',
    '[10.0.0.1]:1',
    'h:1',
  ]
  expect(noEndpoints.map(parseEndpoint)).toEqual(noEndpoints.map(() => undefined))
  expect(['10.42.0.0/16', 'fd00::/64', '0.0.0.0/0'].every(isNetwork)).toBe(true)
  expect(['10.42.0.1/16', '10.0.0.0/33', '10.0.0.0', '10.0.0.0/8/8'].some(isNetwork)).toBe(false)
})
