/** What the certificate module asks for: one key and one certificate in files, signed by a CA's. */
export interface CertificateRequest {
  readonly commonName: string
  /** IP addresses and DNS names; addresses are written as IP entries. */
  readonly subjectAltNames: readonly string[]
  readonly usages: readonly ('server' | 'client')[]
  /** @unit days @range 1 to 36500 */
  readonly validDays: number
  readonly certificatePath: string
  readonly keyPath: string
  /** The CA that signs. */
  readonly caCertificatePath: string
  readonly caKeyPath: string
  readonly owner: string
  readonly group: string
}
