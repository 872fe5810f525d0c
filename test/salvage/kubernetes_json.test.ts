import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { fieldWith } from '../../src/core/protobuf.ts'
import { decodeObject } from '../../src/salvage/kubernetes_json.ts'
import { storedJson, storedProtobuf, varint } from './stored_objects.ts'

const message = (...fields: readonly Buffer[]) => Buffer.concat(fields)
const text = (number: number, value: string) => fieldWith(number, Buffer.from(value))
const entry = (number: number, key: string, value: Buffer) =>
  fieldWith(number, message(text(1, key), value))

test('a Deployment comes out as people write it', () => {
  const container = message(
    text(1, 'web'),
    text(2, 'nginx'),
    fieldWith(6, message(text(1, ''), varint(2, 0), varint(3, 80), text(4, 'TCP'))),
    fieldWith(7, message(text(1, 'MODE'), text(2, 'fast'))),
    // Limits: a map of quantities.
    fieldWith(8, entry(1, 'memory', fieldWith(2, text(1, '64Mi')))),
    text(14, 'Always'),
  )
  // A volume's source stands in its place.
  const volume = message(text(1, 'cache'), fieldWith(2, fieldWith(2, Buffer.alloc(0))))
  const pod = message(fieldWith(1, volume), fieldWith(2, container), text(3, 'Always'))
  const labels = fieldWith(1, entry(11, 'app', text(2, 'web')))
  const spec = message(
    varint(1, 5),
    fieldWith(2, entry(1, 'app', text(2, 'web'))),
    fieldWith(3, message(labels, fieldWith(2, pod))),
    varint(5, 0),
    varint(7, 0),
  )
  const stored = storedProtobuf({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: 'default',
    name: 'web',
    spec,
  })
  expect(decodeObject(stored)).toEqual({
    unread: 0,
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        replicas: 5,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            volumes: [{ name: 'cache', emptyDir: {} }],
            containers: [
              {
                name: 'web',
                image: 'nginx',
                ports: [{ containerPort: 80, protocol: 'TCP' }],
                env: [{ name: 'MODE', value: 'fast' }],
                resources: { limits: { memory: '64Mi' } },
                imagePullPolicy: 'Always',
              },
            ],
            restartPolicy: 'Always',
          },
        },
      },
    },
  })
})

const target = (value: Buffer) => fieldWith(4, value)

test("a Service's ports are numbers or names, and a Secret's data bytes", () => {
  const service = storedProtobuf({
    apiVersion: 'v1',
    kind: 'Service',
    namespace: 'default',
    name: 's',
    spec: message(
      fieldWith(1, message(varint(3, 80), target(message(varint(1, 0), varint(2, 90))))),
      fieldWith(1, message(varint(3, 81), target(message(varint(1, 1), text(3, 'web'))))),
    ),
  })
  expect(decodeObject(service)?.object).toMatchObject({
    spec: {
      ports: [
        { port: 80, targetPort: 90 },
        { port: 81, targetPort: 'web' },
      ],
    },
  })
  const secret = storedProtobuf({
    apiVersion: 'v1',
    kind: 'Secret',
    namespace: 'default',
    name: 'door',
    // Its second field is the map, whose entries are messages.
    spec: message(text(1, 'word'), text(2, 'open')),
  })
  expect(decodeObject(secret)?.object).toMatchObject({ data: { word: 'b3Blbg==' } })
})

test('a negative number is one of ten bytes', () => {
  const minusOne = Buffer.from([8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])
  const replicas = storedProtobuf({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'web',
    spec: minusOne,
  })
  expect(decodeObject(replicas)?.object).toMatchObject({ spec: { replicas: -1 } })
})

test('a field of another age is counted, and nothing that is not known is made up', () => {
  const unknown = storedProtobuf({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'web',
    spec: message(varint(1, 5), fieldWith(15, Buffer.from('new'))),
  })
  expect(decodeObject(unknown)).toMatchObject({ unread: 1, object: { spec: { replicas: 5 } } })
  const other = storedProtobuf({ apiVersion: 'apps/v9', kind: 'Deployment', name: 'web' })
  expect(decodeObject(other)).toBeUndefined()
  expect(decodeObject(Buffer.from('k8s:enc:aescbc:v1:key:xx'))).toBeUndefined()
  const json = { apiVersion: 'x/v1', kind: 'Y', metadata: { name: 'n' } }
  expect(decodeObject(storedJson(json))).toEqual({ object: json, unread: 0 })
})

test('any bytes are an object or none, and never an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const stored = storedProtobuf({
        apiVersion: 'v1',
        kind: 'Pod',
        name: 'p',
        spec: Buffer.from(bytes),
      })
      expect(['object', 'undefined']).toContain(typeof decodeObject(stored))
    }),
    { numRuns: 500 },
  )
})
