import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type PeerCertificate } from 'node:tls'
import { fileVersion } from '../host/file_version.ts'
import { firstLineOf } from '../core/errors.ts'
import type { Faults } from './faults.ts'

/** The agent's own certificate, and the site's authority. */
export interface TlsPaths {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

export const TLS_PATHS: TlsPaths = {
  ca: '/etc/twonode/pki/ca.crt',
  certificate: '/etc/twonode/tls/agent.crt',
  key: '/etc/twonode/tls/agent.key',
}

/** The two of an https server and of its clients. */
export interface TlsMaterial {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/**
 * Certificates in files, read again when they are replaced: a renewed one is used without a restart.
 * One that is half replaced, or broken, leaves the one before in use.
 */
export class TlsFiles {
  readonly #paths: TlsPaths
  readonly #faults: Faults
  #identity = ''
  #material: TlsMaterial | undefined
  /** Of the one in use. @unit milliseconds of wall time */
  #expiresAt = Infinity

  constructor(paths: TlsPaths, faults: Faults) {
    this.#paths = paths
    this.#faults = faults
  }

  /** Undefined until they have been read once. */
  get material(): TlsMaterial | undefined {
    return this.#material
  }

  /** By this host's clock. The peer refuses it then, by its own. */
  get isExpired(): boolean {
    return Date.now() >= this.#expiresAt
  }

  /** True if there is a new certificate to use. */
  async refresh(): Promise<boolean> {
    const { ca, certificate, key } = this.#paths
    try {
      const identity = (await Promise.all([ca, certificate, key].map(fileVersion))).join()
      if (identity === this.#identity) {
        this.#tellExpiry()
        return false
      }
      const [caPem, cert, keyPem] = await Promise.all(
        [ca, certificate, key].map(async (path) => await readFile(path, 'utf8')),
      )
      const material = { ca: caPem ?? '', cert: cert ?? '', key: keyPem ?? '' }
      refuseForeign(material)
      refuseTorn(material)
      this.#identity = identity
      this.#material = material
      this.#expiresAt = Date.parse(new X509Certificate(material.cert).validTo)
      this.#faults.clear('certificate')
      this.#tellExpiry()
      return true
    } catch (error) {
      const words = firstLineOf(error)
      const kept =
        this.#material === undefined ? 'the peer is not talked to' : 'the one before is used'
      this.#faults.tell('certificate', `the agent's certificate can not be used: ${words}; ${kept}`)
      return false
    }
  }

  #tellExpiry(): void {
    if (!this.isExpired) return this.#faults.clear('certificate-expiry')
    const since = new Date(this.#expiresAt).toISOString()
    this.#faults.tell(
      'certificate-expiry',
      `the agent's certificate expired at ${since}, by this host's clock: the peer may refuse it`,
    )
  }
}

/** How both sides of the API speak TLS. */
export function tlsOptions(
  material: TlsMaterial,
): TlsMaterial & { readonly minVersion: 'TLSv1.3' } {
  return { ...material, minVersion: 'TLSv1.3' }
}

/** @throws Error when key and certificate do not belong together */
function refuseTorn(material: TlsMaterial): void {
  createSecureContext(tlsOptions(material))
}

function refuseForeign({ ca, cert }: TlsMaterial): void {
  if (!new X509Certificate(cert).verify(new X509Certificate(ca).publicKey))
    throw new Error("it is not signed by the site's authority")
}

/** True if a certificate of the site's authority names this host: its common name, or a DNS name. */
export function names(certificate: PeerCertificate, host: string): boolean {
  const common: unknown = certificate.subject?.CN
  if (common === host) return true
  return (certificate.subjectaltname ?? '').split(', ').includes(`DNS:${host}`)
}
