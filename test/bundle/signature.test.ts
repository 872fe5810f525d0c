import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fingerprintOf, refuseStranger, sign, signerOf } from '../../src/bundle/signature.ts'

const run = promisify(execFile)
const quiet = () => undefined

let folder: string
let file: string
let signature: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twonode-signature-'))
  file = join(folder, 'site.twonode')
  signature = `${file}.sig`
  for (const name of ['ours', 'other'])
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  await writeFile(file, 'a bundle\n')
  await writeFile(signature, await sign(file, join(folder, 'ours'), quiet))
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

const publicKey = async (name: string) => await readFile(join(folder, `${name}.pub`), 'utf8')

test('who signed is told by the fingerprint that ssh-keygen itself prints', async () => {
  const signer = await signerOf(file, signature)
  expect(signer).toBe(fingerprintOf(await publicKey('ours')))
  const { stdout } = await run('ssh-keygen', ['-lf', join(folder, 'ours.pub')])
  expect(stdout).toContain(signer)
})

test('the same bytes by the same key are the same signature', async () => {
  expect(await sign(file, join(folder, 'ours'), quiet)).toBe(await readFile(signature, 'utf8'))
})

test('a key or its fingerprint lets a signer in; any other signer is refused, and named', async () => {
  const signer = await signerOf(file, signature)
  const [ours, other] = await Promise.all([publicKey('ours'), publicKey('other')])
  refuseStranger(signer, [other, ours])
  refuseStranger(signer, [fingerprintOf(ours)])
  expect(() => refuseStranger(signer, [other])).toThrow(
    `it is signed by ${signer}, and only ${fingerprintOf(other)} may`,
  )
  expect(() => refuseStranger(signer, [])).toThrow('no key may')
})

test('another file, a torn signature and one made for something else are refused', async () => {
  const altered = join(folder, 'altered')
  await writeFile(altered, 'a Bundle\n')
  await expect(signerOf(altered, signature)).rejects.toMatchObject({ code: 'E_SITE_BUNDLE' })
  const torn = join(folder, 'torn.sig')
  await writeFile(torn, (await readFile(signature, 'utf8')).slice(0, 100))
  await expect(signerOf(file, torn)).rejects.toMatchObject({ code: 'E_SITE_BUNDLE' })
  await expect(signerOf(file, join(folder, 'none.sig'))).rejects.toMatchObject({
    code: 'E_SITE_BUNDLE',
  })
  const mail = join(folder, 'mail')
  await writeFile(mail, 'a bundle\n')
  await run('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'email', '-f', join(folder, 'ours'), mail])
  await expect(signerOf(file, `${mail}.sig`)).rejects.toMatchObject({ code: 'E_SITE_BUNDLE' })
})

test('a key that is none, and a file that is not there, are told as such', async () => {
  await expect(sign(file, file, quiet)).rejects.toMatchObject({ code: 'E_KEY' })
  await expect(sign(join(folder, 'none'), join(folder, 'ours'), quiet)).rejects.toMatchObject({
    code: 'E_FILE',
  })
})
