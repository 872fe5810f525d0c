// oxlint-disable-next-line import/no-unassigned-import -- x509 looks for the global it makes
import 'reflect-metadata'
import { createHash, createPublicKey, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { BACKDATED_MS, type CertificateRequest } from '../core/certificate.ts'

const DAY_MS = 24 * 60 * 60 * 1000

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

type LeafRequest = Pick<
  CertificateRequest,
  'commonName' | 'subjectAltNames' | 'usages' | 'validDays'
>

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
export async function makeLeaf(request: LeafRequest, authority: KeyPair): Promise<KeyPair> {
  const keys = await generateKeys()
  return await pems(await certify(request, keys.publicKey, authority), keys)
}

/**
 * A request that an authority of this key's owner may sign (PKCS #10). The key stays where it is.
 * @throws Error when it is no key of ours
 */
export async function makeSigningRequest(commonName: string, keyPem: string): Promise<string> {
  const publicDer = createPublicKey(keyPem).export({ type: 'spki', format: 'der' })
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    signingAlgorithm: ALGORITHM,
    keys: {
      privateKey: await importKey(keyPem),
      publicKey: await webcrypto.subtle.importKey('spki', publicDer, ALGORITHM, true, ['verify']),
    },
  })
  return request.toString('pem')
}

/** A new private key (PKCS #8). */
export async function makeKey(): Promise<string> {
  const { privateKey } = await generateKeys()
  return x509.PemConverter.encode(
    await webcrypto.subtle.exportKey('pkcs8', privateKey),
    x509.PemConverter.PrivateKeyTag,
  )
}

/** Whose request it is, and by which key; null: it is none, or not signed by the key that it holds. */
export async function readSigningRequest(
  pem: string,
): Promise<{ readonly commonName: string; readonly keySha256: string } | null> {
  try {
    const request = new x509.Pkcs10CertificateRequest(pem)
    if (!(await request.verify())) return null
    const keySha256 = createHash('sha256').update(Buffer.from(request.publicKey.rawData))
    const [commonName = ''] = request.subjectName.getField('CN')
    return { commonName, keySha256: keySha256.digest('hex') }
  } catch {
    return null
  }
}

/** The certificate for a request's key; all else is as the signer says, whatever the request asks for. */
export async function signRequest(
  pem: string,
  request: LeafRequest,
  authority: KeyPair,
): Promise<string> {
  const { publicKey } = new x509.Pkcs10CertificateRequest(pem)
  const key = await publicKey.export(ALGORITHM, ['verify'])
  return (await certify(request, key, authority)).toString('pem')
}

async function certify(
  request: LeafRequest,
  publicKey: CryptoKey,
  authority: KeyPair,
): Promise<x509.X509Certificate> {
  const issuer = new x509.X509Certificate(authority.certificatePem)
  return await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [request.commonName] }],
    issuer: issuer.subjectName,
    ...validity(request.validDays * DAY_MS),
    signingAlgorithm: ALGORITHM,
    signingKey: await importKey(authority.keyPem),
    publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(request.usages.map((usage) => USAGES[usage])),
      ...namesExtension(request.subjectAltNames),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  })
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
