import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOfHost, leaseHolder } from '../../modules/parts/kubernetes_lease.ts'

/** A field with a length. */
function field(number: number, content: Buffer): Buffer {
  const length = content.length
  const varint = length < 128 ? [length] : [(length % 128) + 128, Math.floor(length / 128)]
  return Buffer.concat([Buffer.from([number * 8 + 2, ...varint]), content])
}

/** As the API server stores a Lease: the magic number, the type, metadata, and then the spec. */
function stored(holder: string): Buffer {
  const type = field(1, field(1, Buffer.from('coordination.k8s.io/v1')))
  const metadata = field(1, field(1, Buffer.from('x'.repeat(200))))
  const seconds = Buffer.from([2 * 8, 15])
  const spec = field(2, Buffer.concat([field(1, Buffer.from(holder)), seconds]))
  return Buffer.concat([Buffer.from('k8s\0'), type, field(2, Buffer.concat([metadata, spec]))])
}

describe('C4: who holds a lease', () => {
  test('is read from protobuf, whatever stands before it', () => {
    expect(leaseHolder(stored('h1_0b8c7c3e'))).toBe('h1_0b8c7c3e')
    expect(leaseHolder(stored(`h1_${'0'.repeat(150)}`))).toBe(`h1_${'0'.repeat(150)}`)
  })

  test('is read from JSON', () => {
    const text = JSON.stringify({ kind: 'Lease', spec: { holderIdentity: 'h1_x' } })
    expect(leaseHolder(Buffer.from(text))).toBe('h1_x')
  })

  test('is nobody when it says so, or when it can not be read', () => {
    const nothing = [stored(''), Buffer.from('{}'), Buffer.from(''), Buffer.from('k8s\0')]
    for (const value of nothing) expect(leaseHolder(value)).toBeUndefined()
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(['string', 'undefined']).toContain(typeof leaseHolder(Buffer.from(bytes)))
      }),
    )
  })

  test('torn anywhere, it is no other holder', () => {
    const whole = stored('h1_0b8c7c3e')
    for (let end = 0; end < whole.length; end += 1)
      expect([undefined, 'h1_0b8c7c3e']).toContain(leaseHolder(whole.subarray(0, end)))
  })

  test.each([
    ['h1_0b8c', 'h1', true],
    ['h1', 'h1', true],
    ['h1.example.org_0b8c', 'h1', true],
    ['h10_0b8c', 'h1', false],
    ['apiserver-h1_0b8c', 'h1', false],
  ])('%s is of %s: %s', (holder, host, expected) => {
    expect(isOfHost(holder, host)).toBe(expected)
  })
})
