import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TlsPaths } from '../../../src/agent/tls_files.ts'
import { type KeyPair, makeAuthority, makeLeaf } from '../../../src/host/x509.ts'

/** A site's authority, and hosts' certificates in files. */
export interface SiteTls {
  readonly authority: KeyPair
  /** A folder with the authority's certificate and this host's own. */
  host(name: string, over?: LeafOptions): Promise<TlsPaths>
  close(): Promise<void>
}

interface LeafOptions {
  readonly usages?: readonly ('client' | 'server')[]
  /** Another authority signs. */
  readonly by?: KeyPair
}

const BOTH = ['client', 'server'] as const

export async function makeSite(): Promise<SiteTls> {
  const folder = await mkdtemp('/tmp/twonode-tls-')
  const authority = await makeAuthority('test site')
  return {
    authority,
    host: async (name, { usages = BOTH, by = authority }: LeafOptions = {}) => {
      const names = { commonName: name, subjectAltNames: ['127.0.0.1'] }
      const leaf = await makeLeaf({ ...names, usages, validDays: 1 }, by)
      const own = await mkdtemp(join(folder, `${name}-`))
      const paths = {
        ca: join(own, 'ca.crt'),
        certificate: join(own, 'agent.crt'),
        key: join(own, 'agent.key'),
      }
      await writeFile(paths.ca, authority.certificatePem)
      await writeFile(paths.certificate, leaf.certificatePem)
      await writeFile(paths.key, leaf.keyPem)
      return paths
    },
    close: async () => await rm(folder, { recursive: true, force: true }),
  }
}
