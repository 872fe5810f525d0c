import { expect, test } from 'vitest'
import { ownRedactor } from '../../src/agent/own_redaction.ts'
import { Secret } from '../../src/core/secret.ts'

const CAME = new Secret('came-with-the-site', 'test')
const TOKEN = new Secret('K10-token-of-k3s', 'test')

const holds = {
  read: (name: string) => Promise.resolve(name === 'k3s-token' ? TOKEN : undefined),
}
const unreadable = { read: () => Promise.reject(new Error('EIO')) }

test('what an agent writes has neither the secrets of its site nor those that only lie on the host', async () => {
  const redact = await ownRedactor({ secrets: new Map([['one', CAME]]) }, holds)
  const told = redact('came-with-the-site and K10-token-of-k3s, and no more')
  expect(told).toBe('******** and ********, and no more')
})

test('a secret that can not be read keeps no agent from starting', async () => {
  const redact = await ownRedactor({ secrets: new Map([['one', CAME]]) }, unreadable)
  expect(redact('came-with-the-site')).toBe('********')
})
