import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/remote/connect.ts'
import type { ConnectSettings } from '../../src/remote/settings.ts'
import { settingsFor } from '../support/remote_rig.ts'
import { makeKey, publicPart, startSshd, type Sshd } from '../support/sshd.ts'

/** A host before its key was changed, and after. */
let before: Sshd
let after: Sshd
let directory: string

beforeAll(async () => {
  ;[before, after] = await Promise.all([startSshd(), startSshd({ hostKeyType: 'ecdsa' })])
  directory = mkdtempSync(join(tmpdir(), 'twonode-rotated-'))
})

afterAll(async () => {
  await Promise.all([before.stop(), after.stop()])
  rmSync(directory, { recursive: true, force: true })
})

/** One key of an operator's, and no other. */
function by(path: string): Partial<ConnectSettings> {
  return { identityFiles: [{ path, explicit: true }] }
}

/** `connected`, or the error's code. */
async function outcome(sshd: Sshd, over: Partial<ConnectSettings>): Promise<string> {
  const ports = { askPassphrase: () => Promise.resolve(undefined), onNote: () => undefined }
  try {
    const connection = await connect(settingsFor(sshd, over), ports)
    connection.close()
    return 'connected'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test("a host's key rotates with both pinned meanwhile: no converge is refused, and the old key is nobody's in the end", async () => {
  const both = [before.hostKey, after.hostKey]
  for (const pins of [both, both.toReversed()])
    expect([await outcome(before, { pins }), await outcome(after, { pins })]).toEqual([
      'connected',
      'connected',
    ])
  const pins = [after.hostKey]
  expect([await outcome(before, { pins }), await outcome(after, { pins })]).toEqual([
    'E_HOST_KEY',
    'connected',
  ])
})

test("an operator's key rotates with both authorised meanwhile, and the old one is refused when it is taken out", async () => {
  const fresh = makeKey(join(directory, 'fresh'), 'ed25519')
  const authorised = join(before.directory, 'authorized_keys')
  const old = readFileSync(authorised, 'utf8')
  const outcomes = async () => [
    await outcome(before, by(before.identityFile)),
    await outcome(before, by(fresh)),
  ]
  expect(await outcomes()).toEqual(['connected', 'E_AUTH'])
  writeFileSync(authorised, `${old}${publicPart(fresh)}\n`)
  expect(await outcomes()).toEqual(['connected', 'connected'])
  writeFileSync(authorised, `${publicPart(fresh)}\n`)
  expect(await outcomes()).toEqual(['E_AUTH', 'connected'])
})
