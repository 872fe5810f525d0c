import { execFile, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { checkArchive } from '../../src/bundle/archive.ts'
import { makeBundle } from '../../src/bundle/make.ts'
import { fileSource, textSource } from '../../src/bundle/source.ts'

const run = promisify(execFile)

/** As `uname -m` says it. */
const MACHINE = arch() === 'arm64' ? 'aarch64' : 'x86_64'

/** Stands where the runtime does, and says what it was told to run. */
const NODE = '#!/bin/sh\nprintf "ran %s\\n" "$*"\n'

let folder: string
let host: string
let script: string
let whole: Buffer
let signature: string
let signer: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twonode-install-'))
  for (const name of ['ours', 'other'])
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  const made = await bundleOf(MACHINE, 'ours')
  signer = made.signer
  whole = await readFile(made.path)
  signature = await readFile(`${made.path}.sig`, 'utf8')
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

beforeEach(async () => {
  host = await mkdtemp(join(folder, 'host-'))
  script = join(host, 'install.sh')
  const text = await readFile('playbooks/files/install.sh', 'utf8')
  const places = { '/opt/twonode': join(host, 'opt'), '/etc/twonode': join(host, 'etc') }
  const moved = Object.entries(places).reduce((all, [from, to]) => all.replaceAll(from, to), text)
  await writeFile(script, moved)
  await mkdir(join(host, 'etc'))
})

async function bundleOf(machine: string, key: string) {
  const path = join(folder, `${machine}-${key}.twonode`)
  const node = join(folder, 'node')
  await writeFile(node, NODE)
  await chmod(node, 0o755)
  const program = await fileSource(`runtime/${machine}/node`, node)
  const made = await makeBundle({
    about: { site: 'shop', version: '0.1.0', architectures: [machine] },
    sources: [
      { ...program, member: { ...program.member, executable: true } },
      await textSource('runner/agent.mjs', 'the agent\n'),
      await textSource('plan.json', '{}\n'),
    ],
    output: path,
    key: join(folder, key),
    installer: 'playbooks/files/install.sh',
    onNotice: () => undefined,
  })
  return { path, ...made }
}

/** What the script says, and leaves, with a bundle of these bytes. */
async function installed(
  bytes: Uint8Array,
  words: readonly string[] = ['--signer', signer],
  signed = signature,
) {
  const path = join(host, 'site.twonode')
  await writeFile(path, bytes)
  await writeFile(`${path}.sig`, signed)
  return await shell([path, ...words])
}

async function shell(words: readonly string[]) {
  const child = spawn('/bin/sh', [script, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const code = await new Promise((resolve) => child.once('close', resolve))
  return { code, ...said, left: await unpacked() }
}

/** What lies beside the lock. */
async function unpacked(): Promise<readonly string[]> {
  const names = await readdir(join(host, 'opt/bundles')).catch(() => [])
  return names.filter((name) => name !== '.lock')
}

async function allowed(key: string): Promise<void> {
  const line = await readFile(join(folder, `${key}.pub`), 'utf8')
  const path = join(host, 'etc/allowed_signers')
  await writeFile(path, `twonode namespaces="twonode-bundle" ${line}`)
}

test('is under 60 lines, for whoever reads it before it runs as root', async () => {
  const lines = (await readFile('playbooks/files/install.sh', 'utf8')).trimEnd().split('\n')
  expect(lines.length).toBeLessThan(60)
})

test('a bundle by the key that was named is unpacked under its sum, and its own program goes on', async () => {
  const { code, out, left } = await installed(whole, ['--signer', signer, '--host', 'h1'])
  const { stdout } = await run('sha256sum', [join(host, 'site.twonode')])
  const [sum] = stdout.split(' ')
  expect(left).toEqual([sum])
  const place = join(host, 'opt/bundles', sum ?? '')
  expect({ code, out }).toEqual({
    code: 0,
    out: `ran ${place}/runner/agent.mjs install --host h1\n`,
  })
  expect(await readFile(join(place, 'runner/agent.mjs'), 'utf8')).toBe('the agent\n')
  // Again: it is there, and is used as it is.
  expect(await shell([join(host, 'site.twonode'), '--signer', signer])).toMatchObject({
    code: 0,
    left: [sum],
  })
})

test('a host that knows its signers asks for no fingerprint, and lets no other in', async () => {
  await allowed('ours')
  expect(await installed(whole, [])).toMatchObject({ code: 0 })
  await allowed('other')
  const { code, err } = await installed(whole)
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('does not allow') })
})

test('a host that knows none, and nobody there to ask, says which fingerprint to compare', async () => {
  const { code, err, left } = await installed(whole, [])
  expect({ code, left }).toEqual({ code: 2, left: [] })
  expect(err).toContain(`--signer ${signer}`)
  const other = await installed(whole, ['--signer', 'SHA256:another'])
  expect(other.err).toContain(`it is signed by ${signer}, and not by SHA256:another`)
})

test('one flipped bit in a header, in each file or behind it is found before anything is unpacked or run', async () => {
  const { members } = await checkArchive(join(folder, `${MACHINE}-ours.twonode`))
  const places = members.flatMap(({ name, offset, size }) => [
    { what: `the header of ${name}`, at: offset - 512 },
    { what: `the size in the header of ${name}`, at: offset - 512 + 130 },
    { what: name, at: offset + Math.floor(size / 2) },
    { what: `what is behind ${name}`, at: offset + size },
  ])
  const more = [
    { what: 'the header of the manifest', at: 0 },
    { what: 'the manifest', at: 600 },
    { what: 'the end', at: whole.length - 1 },
  ]
  for (const { what, at } of [...places, ...more]) {
    const flipped = Buffer.from(whole)
    flipped[at] = (flipped[at] ?? 0) ^ 1
    const { code, out, left } = await installed(flipped)
    expect({ what, code, out, left }).toEqual({ what, code: 2, out: '', left: [] })
  }
})

test.each([
  ['a further member', ['extra', '0', '']],
  ['a link', ['link', '2', '/etc/shadow']],
  ['a path that leads out', ['../../../etc/cron.d/x', '0', '']],
] as const)('%s behind the others is found', async (_, [name, type, target]) => {
  const header = Buffer.from(whole.subarray(0, 512))
  header.fill(0, 0, 100)
  header.write(name, 0)
  header.write('00000000000', 124)
  header.write(type, 156)
  header.write(target, 157)
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const end = whole.length - 1024
  const more = Buffer.concat([whole.subarray(0, end), header, whole.subarray(end)])
  expect(await installed(more)).toMatchObject({ code: 2, out: '', left: [] })
})

test('one that is cut off, unsigned, of another machine or not there is refused in words', async () => {
  const cut = await installed(whole.subarray(0, whole.length - 1024))
  expect(cut).toMatchObject({ code: 2, left: [] })
  expect(cut.err).toContain('altered, cut off')
  const unsigned = await installed(whole, ['--signer', signer], 'no signature\n')
  expect(unsigned).toMatchObject({ code: 2, left: [] })
  await rm(join(host, 'site.twonode.sig'))
  expect((await shell([join(host, 'site.twonode')])).err).toContain('what is not signed')
  expect((await shell([join(host, 'none')])).err).toContain('there is no file')

  const machine = MACHINE === 'x86_64' ? 'aarch64' : 'x86_64'
  const foreign = await bundleOf(machine, 'ours')
  const sig = await readFile(`${foreign.path}.sig`, 'utf8')
  const other = await installed(await readFile(foreign.path), ['--signer', signer], sig)
  expect(other).toMatchObject({ code: 2, left: [] })
  expect(other.err).toContain(`it holds nothing for this host, which is ${MACHINE}`)
})

test('the signer may be named behind other options, which go on without it', async () => {
  const { code, out } = await installed(whole, ['--host', 'h1', '--signer', signer, '--first'])
  expect({ code, out }).toEqual({
    code: 0,
    out: expect.stringMatching(/agent\.mjs install --host h1 --first\n$/),
  })
  expect((await installed(whole, ['--signer'])).err).toContain('--signer needs a fingerprint')
})

test('what a run that was killed has left is gone after the next one; two at once are one too many', async () => {
  await mkdir(join(host, 'opt/bundles/.incoming.x/tree'), { recursive: true })
  const { left } = await installed(whole)
  expect(left).not.toContain('.incoming.x')
  const holder = spawn('flock', [join(host, 'opt/bundles/.lock'), 'sh', '-c', 'echo held; read x'])
  await new Promise((resolve) => holder.stdout.once('data', resolve))
  try {
    const second = await installed(whole)
    expect(second).toMatchObject({ code: 2, err: expect.stringContaining('another one') })
  } finally {
    holder.stdin.end()
    await new Promise((resolve) => holder.once('close', resolve))
  }
})

test('without a bundle it says how it is used', async () => {
  for (const words of [[], ['--help']]) {
    const { code, err } = await shell(words)
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringContaining('sh install.sh BUNDLE [--signer FINGERPRINT]'),
    })
  }
})
