import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOfHost, leaseHolder, withoutAddress } from '../../modules/parts/kubernetes_objects.ts'

/** A field with a length. */
function field(number: number, content: Buffer): Buffer {
  const length = content.length
  const varint = length < 128 ? [length] : [(length % 128) + 128, Math.floor(length / 128)]
  return Buffer.concat([Buffer.from([number * 8 + 2, ...varint]), content])
}

/** As the API server stores an object: the magic number, the type, and the object. */
function wrapped(object: Buffer): Buffer {
  const type = field(1, field(1, Buffer.from('v1')))
  return Buffer.concat([Buffer.from('k8s\0'), type, field(2, object), field(4, Buffer.from(''))])
}

const METADATA = field(1, field(1, Buffer.from('kubernetes'.repeat(20))))
const text = (number: number, content: string) => field(number, Buffer.from(content))

const endpoints = (...ips: string[]) =>
  wrapped(
    Buffer.concat([
      METADATA,
      field(
        2,
        Buffer.concat([...ips.map((ip) => field(1, text(1, ip))), field(3, text(1, 'https'))]),
      ),
    ]),
  )

const slice = (...ips: string[]) =>
  wrapped(
    Buffer.concat([
      METADATA,
      ...ips.map((ip) => field(2, Buffer.concat([text(1, ip), field(2, Buffer.from([8, 1]))]))),
      field(3, text(1, 'https')),
      text(4, 'IPv4'),
    ]),
  )

describe("C4: a dead host's address among those of the API", () => {
  test.each([
    ['Endpoints' as const, endpoints],
    ['EndpointSlice' as const, slice],
  ])('is taken out of %s, and the rest stays to the byte', (kind, made) => {
    const both = made('10.77.0.11', '10.77.0.12')
    expect(withoutAddress(both, '10.77.0.11', kind)).toEqual(made('10.77.0.12'))
    expect(withoutAddress(both, '10.77.0.12', kind)).toEqual(made('10.77.0.11'))
    expect(withoutAddress(both, '10.77.0.1', kind)).toBeUndefined()
  })

  test('stays when it is the only one, or nothing can be read', () => {
    expect(withoutAddress(endpoints('10.77.0.11'), '10.77.0.11', 'Endpoints')).toBeUndefined()
    expect(withoutAddress(slice('10.77.0.11'), '10.77.0.11', 'EndpointSlice')).toBeUndefined()
    expect(withoutAddress(Buffer.from('{}'), '10.77.0.11', 'Endpoints')).toBeUndefined()
    const whole = endpoints('10.77.0.11', '10.77.0.12')
    for (let end = 0; end < whole.length - 2; end += 1)
      expect(withoutAddress(whole.subarray(0, end), '10.77.0.11', 'Endpoints')).toBeUndefined()
  })
})

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
