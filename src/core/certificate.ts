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

/**
 * Clocks lie, and a certificate from the future is refused: each begins this long before it is issued.
 *
 * @unit milliseconds
 */
export const BACKDATED_MS = 365 * 24 * 3_600_000

/** Against what a certificate is judged. */
export interface CertificateQuery {
  /** The CA that should have signed it. */
  readonly caCertificatePath: string
  /** The private key that should belong to it. */
  readonly keyPath: string
}

/** What a certificate file holds. A file that can't be read as a certificate is `broken`. */
export type CertificateInfo =
  | { readonly kind: 'broken'; readonly reason: string }
  | {
      readonly kind: 'certificate'
      readonly commonName: string
      /** Bare, sorted: `10.0.0.1`, `localhost`. IP addresses in their shortest form. */
      readonly subjectAltNames: readonly string[]
      /** Extended key usages among the two that we issue; others are left out. Sorted. */
      readonly usages: readonly ('client' | 'server')[]
      /** @unit milliseconds since 1970 */
      readonly notBeforeMs: number
      /** @unit milliseconds since 1970 */
      readonly notAfterMs: number
      /** The signature verifies with the CA's public key: two CAs of one name are told apart. */
      readonly signedByCa: boolean
      /** The private key file exists, can be read, and is this certificate's. */
      readonly keyMatches: boolean
    }
