import { createHash, randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import { SITE_SECRET_FILES, type SiteSecretName } from '../core/host.ts'
import { Secret, reveal } from '../core/secret.ts'
import { listDirectory, readText } from './files.ts'
import { makeDirectory } from './paths.ts'
import type { KeyPair } from './x509.ts'
import { stageText } from './staged_file.ts'

/** @unit bytes of randomness in the cluster's token */
const TOKEN_BYTES = 32

const ROOT_ONLY = { uid: 0, gid: 0, mode: 0o600 }
const PUBLIC = { uid: 0, gid: 0, mode: 0o644 }

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/
const PEM_KEY = /-----BEGIN (?:EC )?PRIVATE KEY-----[^-]+-----END (?:EC )?PRIVATE KEY-----\n?/

/**
 * The secrets that both hosts of a site share, as this host has them on its disk. A CA travels as one
 * text: certificate, then key.
 */
export interface SiteSecrets {
  /** Undefined unless it is there as a whole. */
  read(name: SiteSecretName): Promise<Secret | undefined>
  /** Hex sha256 of each that is there: of the CA's certificate, of the token. */
  fingerprints(): Promise<Partial<Record<SiteSecretName, string>>>
  /** Durable when it returns. @throws E_TWO_AUTHORITIES when there is another one already */
  store(name: SiteSecretName, value: Secret): Promise<void>
  /** A new one, stored before anybody hears of it; the one that is there, if there is one. */
  make(name: SiteSecretName, siteName: string): Promise<Secret>
}

/** `root`: a folder that stands for `/`, so that tests can have their own. */
export function createSiteSecrets(root = '/'): SiteSecrets {
  const at = (path: string) => join(root, path)
  const write = async (path: string, content: Secret | string, owned: typeof PUBLIC) => {
    const staged = await stageText(at(path), content, owned, undefined)
    await staged.commit()
  }

  const read = async (name: SiteSecretName) => {
    const { key, certificate } = filesOf(name)
    const [keyText, certificateText = ''] = await Promise.all([
      readText(at(key)),
      certificate === undefined ? undefined : readText(at(certificate)),
    ])
    const whole = certificateText + (keyText ?? '')
    return isWhole(name, whole) ? new Secret(whole.trimEnd(), `site:${name}`) : undefined
  }

  const store = async (name: SiteSecretName, value: Secret) => {
    const text = reveal(value)
    if (!isWhole(name, text))
      throw new TwonodeError('E_FAILED', `what came as the site's ${name} is not one`)
    const present = await read(name)
    if (present !== undefined) {
      if (sha256(reveal(present)) === sha256(text)) return
      throw new TwonodeError('E_TWO_AUTHORITIES', `this host holds another ${name} already`)
    }
    const { key, certificate } = filesOf(name)
    await makeMissingDirectories(at(dirname(key)), root)
    // The key first: a CA's certificate is what tells others that there is a whole one.
    const { certificatePem, keyPem } = authorityIn(value)
    const keyText = name === 'ca' ? keyPem : text
    await write(key, new Secret(withNewline(keyText), value.origin), ROOT_ONLY)
    if (certificate !== undefined) await write(certificate, withNewline(certificatePem), PUBLIC)
  }

  return {
    read,
    store,
    fingerprints: async () => {
      const [ca, token] = await Promise.all([read('ca'), read('k3s-token')])
      return {
        ...(ca === undefined ? {} : { ca: sha256(authorityIn(ca).certificatePem) }),
        ...(token === undefined ? {} : { 'k3s-token': sha256(reveal(token)) }),
      }
    },
    make: async (name, siteName) => {
      const present = await read(name)
      if (present !== undefined) return present
      const value = new Secret(await newValue(name, siteName), `site:${name}`)
      await store(name, value)
      return value
    },
  }
}

/** A CA's two halves, of the one text as which it travels. */
export function authorityIn(ca: Secret): KeyPair {
  const text = reveal(ca)
  const partOf = (form: RegExp): string => form.exec(text)?.[0] ?? ''
  return { certificatePem: partOf(PEM_CERTIFICATE), keyPem: partOf(PEM_KEY) }
}

async function newValue(name: SiteSecretName, siteName: string): Promise<string> {
  if (name === 'k3s-token') return randomBytes(TOKEN_BYTES).toString('hex')
  // A second chunk of the bundle: most converges make no certificate.
  const { makeAuthority } = await import('./x509.ts')
  const { certificatePem, keyPem } = await makeAuthority(`twonode CA of ${siteName}`)
  return withNewline(certificatePem) + withNewline(keyPem)
}

function filesOf(name: SiteSecretName): { readonly key: string; readonly certificate?: string } {
  return SITE_SECRET_FILES[name]
}

function isWhole(name: SiteSecretName, text: string): boolean {
  return name === 'ca' ? PEM_CERTIFICATE.test(text) && PEM_KEY.test(text) : text.trim() !== ''
}

async function makeMissingDirectories(path: string, root: string): Promise<void> {
  const parts = path
    .slice(root.length)
    .split('/')
    .filter((part) => part !== '')
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const directory = join(root, ...parts.slice(0, depth))
    if ((await listDirectory(directory)) === undefined)
      await makeDirectory(directory, { uid: 0, gid: 0, mode: 0o755 })
  }
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

function sha256(text: string): string {
  return createHash('sha256').update(text.trim()).digest('hex')
}
