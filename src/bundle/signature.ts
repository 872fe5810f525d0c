import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { messageOf, TwonodeError } from '../core/errors.ts'
import { unusable } from './manifest.ts'

/** What a signature of a bundle is for: one that was made for mail or a commit is none. */
export const NAMESPACE = 'twonode-bundle'

/** Hashing a bundle of gigabytes from a slow stick; a person may have to touch a hardware key. @unit milliseconds */
const SSH_KEYGEN_MS = 10 * 60_000

/** What ssh-keygen says is a line or two; a signature has some hundred bytes. @unit characters */
const OUTPUT_MOST = 64 * 1024

/**
 * Signs a file as OpenSSH does it, which asks on the terminal for a passphrase.
 * @param key - a private key, or the public half of one that ssh-agent holds
 * @param onNotice - told what ssh-keygen says meanwhile: that a hardware key wants to be touched
 * @returns the armoured signature
 * @throws {TwonodeError} E_KEY
 */
export async function sign(
  path: string,
  key: string,
  onNotice: (text: string) => void,
): Promise<string> {
  const words = ['-Y', 'sign', '-n', NAMESPACE, '-f', key]
  const { code, stdout, stderr } = await sshKeygen(words, path, onNotice)
  if (code === 0 && stdout.includes('BEGIN SSH SIGNATURE')) return stdout
  throw new TwonodeError('E_KEY', `ssh-keygen can not sign with ${key}`, {
    hint: 'Name a private key, or the .pub of one that ssh-agent holds: --key FILE.',
    detail: stderr.trim(),
  })
}

/**
 * Whose key signed this file, whoever that is.
 * @returns the key's fingerprint, as `SHA256:…`
 * @throws {TwonodeError} E_SITE_BUNDLE when the signature is not of this file, or for something else
 */
export async function signerOf(path: string, signature: string): Promise<string> {
  const words = ['-Y', 'check-novalidate', '-n', NAMESPACE, '-s', signature]
  const { code, stdout, stderr } = await sshKeygen(words, path)
  const [, fingerprint] = /\bkey (SHA256:[A-Za-z0-9+/]+)\s*$/m.exec(stdout) ?? []
  if (code === 0 && fingerprint !== undefined) return fingerprint
  throw unusable(`${signature} is no signature of it`, COPY_AGAIN, `${stdout}${stderr}`.trim())
}

/**
 * Holds the signer to those who are allowed to.
 * @param allowed - public keys, or fingerprints
 * @throws {TwonodeError} E_SITE_BUNDLE
 */
export function refuseStranger(fingerprint: string, allowed: readonly string[]): void {
  const known = allowed.map((one) => (one.startsWith('SHA256:') ? one : fingerprintOf(one)))
  if (known.includes(fingerprint)) return
  throw unusable(
    `it is signed by ${fingerprint}, and ${known.length === 0 ? 'no key' : `only ${known.join(', ')}`} may`,
    'Have it signed by one of them, or add the key to `bundle.allowedSigners` of the inventory.',
  )
}

/**
 * @param line - a public key as in `~/.ssh/id_ed25519.pub`
 * @source https://datatracker.ietf.org/doc/html/rfc4648 base64; OpenSSH leaves out its padding
 */
export function fingerprintOf(line: string): string {
  const [, key = ''] = line.trim().split(/\s+/)
  const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64')
  return `SHA256:${digest.replace(/=+$/, '')}`
}

const COPY_AGAIN = 'Copy the bundle and its .sig again from where they were made.'

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs ssh-keygen over a file's bytes. */
async function sshKeygen(
  words: readonly string[],
  path: string,
  onNotice: (text: string) => void = () => undefined,
): Promise<Ended> {
  const child = spawn('ssh-keygen', words, {
    timeout: SSH_KEYGEN_MS,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (said[name].length < OUTPUT_MOST) said[name] += text
    })
  child.stderr.on('data', (text: string) => {
    if (!text.startsWith('Signing data on')) onNotice(text)
  })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? -1))
  })
  // One that refuses at once reads nothing: its exit code tells, not our EPIPE.
  const fed = pipeline(createReadStream(path), child.stdin).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
    },
  )
  try {
    const [code] = await Promise.all([ended, fed])
    return { code, ...said }
  } catch (cause) {
    throw new TwonodeError(
      'E_FILE',
      `ssh-keygen can not be run over ${path}: ${messageOf(cause)}`,
      {
        hint: 'OpenSSH 8.1 or newer has to be installed, and the file to be readable.',
        cause,
      },
    )
  }
}
