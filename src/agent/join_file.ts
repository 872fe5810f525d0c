import { rm } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { TwonodeError } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'
import { reveal } from '../core/secret.ts'
import { readText } from '../host/files.ts'
import { syncDirectory } from '../host/staged_file.ts'
import { type JoinToken, joinTokenText, parseJoinToken } from './join_token.ts'
import { writeDurably } from './meta_history.ts'

/** What a prepared host knows of the pair that it shall join. Root, 0600; gone when it is in. */
export const JOIN_FILE = '/etc/twonode/join.json'

const JOIN_FORMAT = 1

export interface JoinOrder {
  /** What this host shall be. */
  readonly name: string
  readonly address: string
  /** The leader's agent. */
  readonly to: { readonly address: string; readonly port: number }
  readonly token: JoinToken
  /** What the leader answered lies on this host, as a whole: it only has to converge itself. */
  readonly isIn: boolean
}

export async function writeJoinFile(order: JoinOrder, path = JOIN_FILE): Promise<void> {
  const { name, address, to, token, isIn } = order
  const text = reveal(joinTokenText(token))
  const content = { format: JOIN_FORMAT, name, address, to, token: text, isIn }
  await writeDurably(path, `${JSON.stringify(content)}\n`)
}

/** Undefined: there is none. @throws TwonodeError E_FAILED for one that can't be read */
export async function readJoinFile(path = JOIN_FILE): Promise<JoinOrder | undefined> {
  const text = await readText(path)
  if (text === undefined) return undefined
  const parsed = parseJson(text)
  if (!isObject(parsed) || parsed['format'] !== JOIN_FORMAT) throw torn(path)
  const { name, address, to, token, isIn } = parsed
  if (typeof name !== 'string' || typeof address !== 'string' || !isObject(to)) throw torn(path)
  const { address: leader, port } = to
  if (typeof leader !== 'string' || isIP(leader) === 0 || typeof port !== 'number') throw torn(path)
  if (typeof token !== 'string' || typeof isIn !== 'boolean') throw torn(path)
  return { name, address, to: { address: leader, port }, token: parseJoinToken(token), isIn }
}

export async function removeJoinFile(path = JOIN_FILE): Promise<void> {
  await rm(path, { force: true })
  await syncDirectory(dirname(path))
}

function torn(path: string): TwonodeError {
  return new TwonodeError('E_FAILED', `${path} is torn, or no join order`, {
    hint: 'Run `twonode join` on this host again.',
  })
}
