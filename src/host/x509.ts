// oxlint-disable-next-line import/no-unassigned-import -- x509 looks for the global it makes
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import type { CertificateRequest } from '../core/certificate.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Clocks lie, and a certificate from the future is refused: all are valid from a year ago. */
const BACKDATED_MS = 365 * DAY_MS

/** A site outlives its machines; nothing renews its CA. */
const AUTHORITY_VALID_MS = 20 * 365 * DAY_MS

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

const USAGES = {
  server: x509.ExtendedKeyUsage.serverAuth,
  client: x509.ExtendedKeyUsage.clientAuth,
} as const

x509.cryptoProvider.set(webcrypto)

export interface KeyPair {
  readonly certificatePem: string
  /** PKCS #8. */
  readonly keyPem: string
}

/** A new CA that may sign certificates of hosts and no further CA. */
export async function makeAuthority(commonName: string): Promise<KeyPair> {
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    ...validity(AUTHORITY_VALID_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign |
          x509.KeyUsageFlags.cRLSign |
          x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return await pems(certificate, keys)
}

/** A new key and its certificate, signed by the CA. */
export async function makeLeaf(
  request: Pick<CertificateRequest, 'commonName' | 'subjectAltNames' | 'usages' | 'validDays'>,
  authority: KeyPair,
): Promise<KeyPair> {
  const issuer = new x509.X509Certificate(authority.certificatePem)
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [request.commonName] }],
    issuer: issuer.subjectName,
    ...validity(request.validDays * DAY_MS),
    signingAlgorithm: ALGORITHM,
    signingKey: await importKey(authority.keyPem),
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => USAGES[usage])),
      ...namesExtension(request.subjectAltNames),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  })
  return await pems(certificate, keys)
}

function namesExtension(names: readonly string[]): x509.Extension[] {
  if (names.length === 0) return []
  const typed = names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const)
  return [new x509.SubjectAlternativeNameExtension(typed)]
}

function validity(lengthMs: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now()
  return { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + lengthMs) }
}

/** Positive, and never twice the same: 15 random bytes behind a fixed one. */
function serialNumber(): string {
  return `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function importKey(pem: string): Promise<CryptoKey> {
  const der = x509.PemConverter.decodeFirst(pem)
  return await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])
}

async function pems(certificate: x509.X509Certificate, keys: CryptoKeyPair): Promise<KeyPair> {
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    certificatePem: certificate.toString('pem'),
    keyPem: x509.PemConverter.encode(der, x509.PemConverter.PrivateKeyTag),
  }
}

type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair
