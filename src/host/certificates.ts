import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CertificateInfo, CertificateQuery, CertificateRequest } from '../core/certificate.ts'
import { NotYet, TwonodeError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { readText } from './files.ts'
import { stageText, type Ownership } from './staged_file.ts'

/** @source https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12 */
const USAGE_OIDS: Readonly<Record<string, 'client' | 'server'>> = {
  '1.3.6.1.5.5.7.3.1': 'server',
  '1.3.6.1.5.5.7.3.2': 'client',
}

/** What the certificate in a file says, judged against the CA and the key it should belong to. */
export async function inspectCertificate(
  path: string,
  { caCertificatePath, keyPath }: CertificateQuery,
): Promise<CertificateInfo | undefined> {
  const caPem = await readText(caCertificatePath)
  if (caPem === undefined) throw new NotYet(`there is no CA certificate at ${caCertificatePath}`)
  const pem = await readText(path)
  if (pem === undefined) return undefined
  const certificate = parse(pem)
  if (certificate instanceof Error) return { kind: 'broken', reason: certificate.message }
  const authority = parse(caPem)
  return {
    kind: 'certificate',
    commonName: /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '',
    subjectAltNames: alternativeNames(certificate.subjectAltName ?? ''),
    usages: (certificate.keyUsage ?? [])
      .map((oid) => USAGE_OIDS[oid])
      .filter((usage) => usage !== undefined)
      .sort(),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    signedByCa: !(authority instanceof Error) && certificate.verify(authority.publicKey),
    keyMatches: keyBelongs(certificate, await readText(keyPath)),
  }
}

function parse(pem: string): X509Certificate | Error {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** Node's text form: `DNS:localhost, IP Address:10.0.0.1`, odd names quoted as JSON. */
function alternativeNames(text: string): readonly string[] {
  const names = text.matchAll(/(DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g)
  return [...names]
    .map(([, kind, value = '']) => {
      const bare = value.startsWith('"') ? String(JSON.parse(value)) : value
      return kind === 'DNS' ? bare : shortestAddress(bare)
    })
    .sort()
}

/** OpenSSL prints IPv6 unabridged; people and inventories write `fd00::1`. */
function shortestAddress(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
}

function keyBelongs(certificate: X509Certificate, pem: string | undefined): boolean {
  if (pem === undefined) return false
  try {
    return certificate.checkPrivateKey(createPrivateKey(pem))
  } catch {
    return false
  }
}

/**
 * Makes a key and a certificate for it. The key is written first: cut between the two, the old
 * certificate does not match it, and the next converge issues anew.
 */
export async function issueCertificate(
  request: CertificateRequest,
  owner: Omit<Ownership, 'mode'>,
): Promise<void> {
  const [certificatePem, keyPem] = await Promise.all([
    readText(request.caCertificatePath),
    readText(request.caKeyPath),
  ])
  if (certificatePem === undefined || keyPem === undefined)
    throw new TwonodeError(
      'E_MISSING',
      `${request.commonName}: no CA to sign with at ${request.caCertificatePath}`,
    )
  // A second chunk of the bundle: most converges issue nothing.
  const { makeLeaf } = await import('./x509.ts')
  const made = await makeLeaf(request, { certificatePem, keyPem })
  const key = new Secret(`${made.keyPem}\n`, `key:${request.keyPath}`)
  await (await stageText(request.keyPath, key, { ...owner, mode: 0o600 }, undefined)).commit()
  const certificate = `${made.certificatePem}\n`
  const staged = await stageText(
    request.certificatePath,
    certificate,
    { ...owner, mode: 0o644 },
    undefined,
  )
  await staged.commit()
}
