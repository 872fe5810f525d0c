import { reveal, Secret, type Text } from '../../src/core/secret.ts'

/** Below it k3s keeps what all its servers share: one key a token, named by a hash of it. */
export const BOOTSTRAP = '/bootstrap/'

/** As k3s takes them, whatever the token: https://github.com/k3s-io/k3s/blob/main/pkg/cluster/encrypt.go */
const ROUNDS = 4096
const SALT_BYTES = 8
const NONCE_BYTES = 12
const KEY_BITS = 256
const HASH_CHARACTERS = 12

/** Where k3s looks for what a token opens. */
export async function bootstrapKey(token: Text): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes(reveal(token)))
  return BOOTSTRAP + Buffer.from(digest).toString('hex').slice(0, HASH_CHARACTERS)
}

/** What one token opens, as another one opens it. @throws when the first does not */
export async function resealed(sealed: Text, from: Text, to: Text): Promise<Secret> {
  const plain = await opened(sealed, from)
  const salt = hex(SALT_BYTES)
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
  const key = await keyOf(to, salt, 'encrypt')
  const text = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce }, key, plain)
  const whole = Buffer.concat([nonce, Buffer.from(text)]).toString('base64')
  return new Secret(`${salt}:${whole}`, 'k3s bootstrap')
}

async function opened(sealed: Text, token: Text): Promise<ArrayBuffer> {
  const [salt = '', text = ''] = reveal(sealed).split(':', 2)
  const whole = new Uint8Array(Buffer.from(text, 'base64'))
  const key = await keyOf(token, salt, 'decrypt')
  const iv = whole.subarray(0, NONCE_BYTES)
  return await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, whole.subarray(NONCE_BYTES))
}

/** The salt is hex, and used as the text that it is. */
async function keyOf(token: Text, salt: string, use: 'encrypt' | 'decrypt') {
  const { subtle } = crypto
  const raw = await subtle.importKey('raw', bytes(reveal(token)), 'PBKDF2', false, ['deriveKey'])
  const how = { name: 'PBKDF2', hash: 'SHA-1', salt: bytes(salt), iterations: ROUNDS }
  return await subtle.deriveKey(how, raw, { name: 'AES-GCM', length: KEY_BITS }, false, [use])
}

/** The part of a token that is secret: k3s writes its own as K10HASH::server:SECRET. */
export function secretPart(token: string): string {
  const text = token.trim()
  if (!text.startsWith('K10') || !text.includes('::')) return text
  const credentials = text.slice(text.indexOf('::') + 2)
  return credentials.slice(credentials.indexOf(':') + 1)
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

function hex(length: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(length))).toString('hex')
}
