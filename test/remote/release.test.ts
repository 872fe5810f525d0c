import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ReleaseFile, releaseFile, sumIn } from '../../src/remote/release.ts'

const K3S = 'the program\n'
const SUM = createHash('sha256').update(K3S).digest('hex')
const FOLDER = '/k3s/releases/download/v1.34.4%2Bk3s1'

let server: Server
let directory: string
/** Bodies by path: names and shapes are those of the project's releases. */
let files: Map<string, string>
let asked: string[]
/** Answers of these paths before the file is given; 0: none at all. */
let troubles: Map<string, number[]>

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'twonode-release-'))
  asked = []
  troubles = new Map()
  files = new Map([
    [`${FOLDER}/k3s`, K3S],
    [
      `${FOLDER}/sha256sum-amd64.txt`,
      `${'0'.repeat(64)}  k3s-airgap-images-amd64.tar.zst\n${SUM}  k3s\n`,
    ],
  ])
  server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const trouble = troubles.get(path)?.shift()
    if (trouble === 0) return
    const body = files.get(path)
    response.writeHead(trouble ?? (body === undefined ? 404 : 200)).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

function wanted(over: Partial<ReleaseFile> = {}): ReleaseFile {
  const { port } = server.address() as AddressInfo
  return {
    project: 'k3s',
    version: 'v1.34.4+k3s1',
    base: `http://127.0.0.1:${port}/k3s/releases/download/`,
    file: 'k3s',
    sums: 'sha256sum-amd64.txt',
    ...over,
  }
}

async function brought(over: Partial<ReleaseFile> = {}): Promise<string> {
  return await releaseFile(wanted(over), { directory, onProgress: () => undefined, silenceMs: 300 })
}

/** All files below the cache that are no list of sums. */
function left(): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((one) => one.isFile() && !one.name.startsWith('sha256sum'))
    .map(({ name }) => name)
}

test('a file of a release is fetched once, held to the published sum, and kept', async () => {
  const path = await brought()
  expect(readFileSync(path, 'utf8')).toBe(K3S)
  expect(asked).toEqual([`${FOLDER}/sha256sum-amd64.txt`, `${FOLDER}/k3s`])
  expect(await brought()).toBe(path)
  expect(asked).toHaveLength(2)
})

test('two at once bring the same file', async () => {
  const paths = await Promise.all([brought(), brought(), brought()])
  expect(new Set(paths).size).toBe(1)
  expect(left()).toEqual(['k3s'])
})

test('a file with another sum is not kept', async () => {
  files.set(`${FOLDER}/k3s`, 'another program\n')
  await expect(brought()).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
  await expect(brought()).rejects.toThrow(`the sum published for it is ${SUM}`)
  expect(left()).toEqual([])
})

test('a list without the file is told, and asked for again next time: it may have been mended', async () => {
  const list = `${FOLDER}/sha256sum-amd64.txt`
  files.set(list, `${SUM}  k3s-arm64\n`)
  await expect(brought()).rejects.toThrow('sha256sum-amd64.txt holds no sum of k3s')
  files.set(list, `${SUM}  k3s\n`)
  expect(existsSync(await brought())).toBe(true)
})

test('a version that is not there is told with its address, and not asked for again and again', async () => {
  await expect(brought({ version: 'v9.9.9+k3s9' })).rejects.toThrow(
    /download\/v9\.9\.9%2Bk3s9\/sha256sum-amd64\.txt: the server answered 404/,
  )
  expect(asked).toHaveLength(1)
})

test('a server that is out of order for a moment, or silent, is asked again', async () => {
  troubles.set(`${FOLDER}/sha256sum-amd64.txt`, [503])
  troubles.set(`${FOLDER}/k3s`, [0])
  expect(readFileSync(await brought(), 'utf8')).toBe(K3S)
  expect(asked).toHaveLength(4)
})

test('nobody there is told in words', async () => {
  await expect(brought({ base: 'http://127.0.0.1:1/releases' })).rejects.toMatchObject({
    code: 'E_DOWNLOAD',
    hint: expect.stringContaining('mirror'),
  })
})

test.each([
  [`${SUM}  k3s\n`, 'k3s', SUM],
  [`${SUM} *dist/artifacts/k3s\r\n`, 'k3s', SUM],
  [`${SUM}  k3s-arm64\n`, 'k3s', undefined],
  [`not a sum  k3s\n`, 'k3s', undefined],
])('%j has this sum of %s: %s', (text, file, sum) => {
  expect(sumIn(text, file)).toBe(sum)
})
