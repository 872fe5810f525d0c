import { connect, createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { systemCode } from '../../src/host/filesystem_error.ts'
import { clientOf, serveApi } from './support/agents.ts'
import { makeSite } from './support/site_tls.ts'

test('a word that is given up is not sent any more: the connection is reset, and the next word has a new one (A7)', async () => {
  const site = await makeSite()
  const served = await serveApi(await site.host('h2'))
  const ends: string[] = []
  const relay = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: served.api.port() })
    near.on('error', (error) => ends.push(systemCode(error) ?? error.message))
    near.once('end', () => ends.push('closed in good order'))
    near.once('close', () => far.destroy())
    far.on('error', () => near.destroy())
    near.pipe(far).pipe(near)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => relay.once('listening', resolve))
  const { client } = await clientOf(await site.host('h1'), (relay.address() as AddressInfo).port)
  try {
    expect(await client.voidProof(2)).toBe(true)
    served.before = () => new Promise(() => {})
    expect(await client.voidProof(3)).toBe(false)
    await expect.poll(() => ends, { timeout: 5_000 }).toEqual(['ECONNRESET'])
    served.before = async () => {}
    expect(await client.voidProof(4)).toBe(true)
    expect(served.asked).toEqual([{ voided: 2 }, { voided: 4 }])
  } finally {
    client.close()
    relay.close()
    await served.close()
    await site.close()
  }
})
