/** What the certificate module asks for: one key and one certificate, in files. */
export interface CertificateRequest {
  /** 'ca' installs the site's CA (made once a site); 'leaf' is signed by it. */
  readonly kind: 'ca' | 'leaf'
  readonly commonName: string
  /** IP addresses and DNS names; addresses are written as IP entries. */
  readonly subjectAltNames: readonly string[]
  readonly usages: readonly ('server' | 'client')[]
  /** @unit days @range 1 to 36500 */
  readonly validDays: number
  readonly certificatePath: string
  readonly keyPath: string
  /** The CA that signs (kind leaf). */
  readonly caCertificatePath: string
  readonly caKeyPath: string
  readonly owner: string
  readonly group: string
}
