import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CertificateInfo, CertificateRequest } from '../../src/core/certificate.ts'
import { NotYet, TwonodeError } from '../../src/core/errors.ts'
import { reveal, Secret } from '../../src/core/secret.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { createSiteSecrets } from '../../src/host/site_secrets.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const host = createLocalHost({ name: 'h1', digestsPath: null })

let root: string
let pki: string

beforeAll(async () => {
  root = mkdtempSync('/tmp/twonode-pki-')
  pki = join(root, 'etc/twonode/pki')
  for (const name of ['other', 'peer', 'half']) mkdirSync(join(root, name))
  await createSiteSecrets(root).make('ca', 'demo')
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

function request(more: Partial<CertificateRequest> = {}): CertificateRequest {
  return {
    commonName: 'h1',
    subjectAltNames: ['10.77.0.11', 'h1.example', 'localhost', 'fd00::1'],
    usages: ['server', 'client'],
    validDays: 365,
    certificatePath: join(root, 'h1.crt'),
    keyPath: join(root, 'h1.key'),
    caCertificatePath: join(pki, 'ca.crt'),
    caKeyPath: join(pki, 'ca.key'),
    owner: 'postgres',
    group: 'postgres',
    ...more,
  }
}

async function look(asked = request()): Promise<CertificateInfo | undefined> {
  return await host.certificate(asked.certificatePath, asked)
}

describe('a certificate', () => {
  test('is what was asked for, valid from a year ago, and OpenSSL agrees', async () => {
    await host.issue(request())
    const info = await look()
    expect(info).toMatchObject({
      kind: 'certificate',
      commonName: 'h1',
      subjectAltNames: ['10.77.0.11', 'fd00::1', 'h1.example', 'localhost'],
      usages: ['client', 'server'],
      signedByCa: true,
      keyMatches: true,
    })
    if (info?.kind !== 'certificate') throw new Error('broken')
    expect((info.notAfterMs - Date.now()) / DAY_MS).toBeCloseTo(365, 1)
    expect((Date.now() - info.notBeforeMs) / DAY_MS).toBeCloseTo(365, 1)
    const verified = execFileSync('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      join(pki, 'ca.crt'),
      join(root, 'h1.crt'),
    ])
    expect(verified.toString()).toContain(': OK')
  })

  test('keeps its key from everybody but its owner', async () => {
    await host.issue(request())
    expect(await host.stat(join(root, 'h1.key'))).toMatchObject({
      mode: 0o600,
      owner: 'postgres',
      group: 'postgres',
    })
    expect(await host.stat(join(root, 'h1.crt'))).toMatchObject({ mode: 0o644, owner: 'postgres' })
    expect(readdirSync(root).filter((name) => name.startsWith('.twonode-'))).toEqual([])
  })

  test('serves and identifies: mutual TLS by address, 30 years of validity included', async () => {
    const long = request({ subjectAltNames: ['127.0.0.1'], validDays: 30 * 365 })
    await host.issue(long)
    const [cert, key, ca] = [long.certificatePath, long.keyPath, long.caCertificatePath].map(
      (path) => readFileSync(path),
    )
    const server = createServer(
      { cert, key, ca, requestCert: true, rejectUnauthorized: true },
      (socket) => {
        socket.end(socket.authorized ? 'welcome' : 'no')
      },
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const said = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, cert, key, ca })
      socket.on('data', (chunk) => resolve(chunk.toString()))
      socket.on('error', reject)
    })
    server.close()
    expect(said).toBe('welcome')
  })

  test('that is missing, broken, of another key or another CA is told apart', async () => {
    const asked = request({ certificatePath: join(root, 'x.crt'), keyPath: join(root, 'x.key') })
    expect(await look(asked)).toBeUndefined()
    writeFileSync(asked.certificatePath, 'no certificate')
    expect(await look(asked)).toMatchObject({ kind: 'broken' })
    await host.issue(asked)
    rmSync(asked.keyPath)
    expect(await look(asked)).toMatchObject({ signedByCa: true, keyMatches: false })
    await host.issue(asked)
    copyFileSync(join(pki, 'ca.key'), asked.keyPath)
    expect(await look(asked)).toMatchObject({ keyMatches: false })

    // Another CA of the very same name.
    const other = join(root, 'other')
    await createSiteSecrets(other).make('ca', 'demo')
    const elsewhere = { ...asked, caCertificatePath: join(other, 'etc/twonode/pki/ca.crt') }
    expect(await look(elsewhere)).toMatchObject({ signedByCa: false })
  })

  test('without a CA it is not there yet for a look, and missing for an issue', async () => {
    const asked = request({ caCertificatePath: join(root, 'no-ca.crt') })
    await expect(look(asked)).rejects.toBeInstanceOf(NotYet)
    await expect(host.issue(asked)).rejects.toMatchObject({ code: 'E_MISSING' })
  })
})

describe('the secrets of a site', () => {
  test('a CA may sign hosts and no further CA, and is valid for twenty years', () => {
    const certificate = new X509Certificate(readFileSync(join(pki, 'ca.crt')))
    expect(certificate.ca).toBe(true)
    expect(certificate.subject).toBe('CN=twonode CA of demo')
    expect((Date.parse(certificate.validTo) - Date.now()) / DAY_MS).toBeGreaterThan(19 * 365)
    const text = execFileSync('openssl', [
      'x509',
      '-noout',
      '-text',
      '-in',
      join(pki, 'ca.crt'),
    ]).toString()
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
  })

  test('lie where both hosts expect them, readable by root only', () => {
    expect(statSync(join(pki, 'ca.key')).mode & 0o7777).toBe(0o600)
    expect(statSync(join(pki, 'ca.crt')).mode & 0o7777).toBe(0o644)
  })

  test('travel as one text and arrive the same', async () => {
    const here = createSiteSecrets(root)
    const there = createSiteSecrets(join(root, 'peer'))
    await here.make('k3s-token', 'demo')
    expect(await there.fingerprints()).toEqual({})
    for (const name of ['ca', 'k3s-token'] as const) {
      const value = await here.read(name)
      if (value === undefined) throw new Error(`no ${name}`)
      await there.store(name, value)
    }
    expect(await there.fingerprints()).toEqual(await here.fingerprints())
    for (const name of ['ca.crt', 'ca.key', 'k3s-token'])
      expect(readFileSync(join(root, 'peer/etc/twonode/pki', name))).toEqual(
        readFileSync(join(pki, name)),
      )
    expect(readFileSync(join(pki, 'k3s-token'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
  })

  test('are made once, and never replaced by others', async () => {
    const here = createSiteSecrets(root)
    const before = await here.fingerprints()
    await here.make('ca', 'demo')
    expect(await here.fingerprints()).toEqual(before)
    const other = await createSiteSecrets(join(root, 'half')).make('ca', 'demo')
    await expect(here.store('ca', other)).rejects.toMatchObject({ code: 'E_TWO_AUTHORITIES' })
    expect(await here.fingerprints()).toEqual(before)
  })

  test('half a CA counts as none, and something else is not taken for one', async () => {
    const half = createSiteSecrets(join(root, 'half'))
    await half.make('ca', 'demo')
    rmSync(join(root, 'half/etc/twonode/pki/ca.crt'))
    expect(await half.read('ca')).toBeUndefined()
    await expect(half.store('ca', new Secret('garbage', 'test'))).rejects.toBeInstanceOf(
      TwonodeError,
    )
  })

  test('are secrets: printed they show nothing', async () => {
    const value = await createSiteSecrets(root).read('ca')
    expect(String(value)).toBe('********')
    expect(value === undefined ? '' : reveal(value)).toContain('PRIVATE KEY')
  })
})
