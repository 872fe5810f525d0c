import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ScriptWitness } from '../../src/witness/script.ts'
import { claimBy, keptBy, versionOf } from './claims.ts'

const folders: string[] = []

afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

/** A program that a site might have, and where it may keep something. */
async function program(lines: string, timeoutMs = 10_000) {
  const folder = await mkdtemp('/tmp/twonode-script-')
  folders.push(folder)
  const path = join(folder, 'witness.sh')
  await writeFile(path, `#!/bin/bash\ncd ${folder}\n${lines}\n`)
  await chmod(path, 0o755)
  const witness = new ScriptWitness({ command: [path, 'an argument'], site: 'lab', timeoutMs })
  return { witness, folder }
}

/** A whole one: the version is the count of swaps, kept beside the claim. */
const WHOLE = `
exec 9>lock; flock 9
input=$(cat)
claim=$(cat claim 2>/dev/null || echo null); version=$(cat version 2>/dev/null || echo 0)
[ "$1" = 'an argument' ] || exit 9
case $2 in
read) echo "{\\"claim\\":$claim,\\"version\\":\\"$version\\"}" ;;
swap)
  over=$(sed -E 's/.*"over":("([0-9]+)"|null)}$/\\2/' <<<"$input")
  [ "\${over:-0}" = "$version" ] || { echo '{"swapped":false}'; exit 0; }
  sed -E 's/.*"next":(\\{[^}]*\\}).*/\\1/' <<<"$input" >claim; echo $((version + 1)) >version
  echo '{"swapped":true}' ;;
*) exit 8 ;;
esac`

test("a program of the site's own reads and swaps (A4)", async () => {
  const { witness } = await program(WHOLE)
  expect(await keptBy(witness)).toBe('absent')
  expect(await witness.swap(claimBy('h1', 5, 'a'), null)).toEqual({ kind: 'written' })
  const version = await versionOf(witness)
  expect(await witness.swap(claimBy('h2', 6, 'b'), version)).toEqual({ kind: 'written' })
  expect(await witness.swap(claimBy('h1', 6, 'c'), version)).toEqual({ kind: 'lost' })
  expect(await keptBy(witness)).toBe('6 h2')
})

// oxfmt-ignore
test.each([
  ['fails',                     'echo "{}"; exit 3',                         'it ended with 3'],
  ['says nothing',              'true',                                      'no JSON object'],
  ['says something else',       'echo yes',                                  'no JSON object'],
  ['names no version',          'echo \'{"claim":{"term":1}}\'',             'names no version'],
  ['says much',                 'yes',                                       'says more than'],
])('one that %s gives no answer (A4)', async (_, lines, why) => {
  const { witness } = await program(lines)
  expect(await keptBy(witness)).toContain(why)
  expect(await witness.swap(claimBy('h1', 5, 'a'), null)).toMatchObject({ kind: 'silent' })
})

test('one that hangs is killed with all that it started', async () => {
  const { witness, folder } = await program('sleep 600 & echo $! >pid; wait', 2_000)
  expect(await keptBy(witness)).toContain('did not end within 2000 ms')
  const pid = Number(await readFile(join(folder, 'pid'), 'utf8'))
  const isAlive = () => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  await expect.poll(isAlive, { timeout: 10_000 }).toBe(false)
})

test('one that is not there gives no answer', async () => {
  const witness = new ScriptWitness({ command: ['/no/such'], site: 'lab', timeoutMs: 1_000 })
  expect(await keptBy(witness)).toContain('can not be started')
})
