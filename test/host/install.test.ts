import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ArtifactSource, InstallRequest } from '../../src/core/host.ts'
import { createLocalHost } from '../../src/host/local.ts'
import { refusal } from './refusal.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const CONTENT = randomBytes(1_000_000)
const SHA256 = createHash('sha256').update(CONTENT).digest('hex')

let directory: string
let server: Server
let url: string
let answer: Answer
/** The Range header of each request, in order. */
let ranges: (string | undefined)[]

beforeEach(async () => {
  directory = mkdtempSync('/tmp/twonode-install-')
  ranges = []
  answer = serve(CONTENT)
  server = createServer((request, response) => {
    ranges.push(request.headers.range)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/artifact`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

/** A server that knows ranges. */
function serve(content: Buffer): Answer {
  return (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    if (from >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
      return
    }
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from })
    response.end(content.subarray(from))
  }
}

function hostWith(blob?: (sha256: string) => Promise<Readable>) {
  return createLocalHost({ name: 'h1', digestsPath: null, ...(blob === undefined ? {} : { blob }) })
}

function request(source: ArtifactSource, more: Partial<InstallRequest> = {}): InstallRequest {
  return {
    source,
    sha256: SHA256,
    path: join(directory, 'program'),
    mode: 0o755,
    owner: 'root',
    group: 'root',
    timeoutMs: 20_000,
    ...more,
  }
}

/** Breaks a connection when something of what it carried is in the part file. */
async function breakOnceGrown(response: ServerResponse, from: number): Promise<void> {
  const part = join(directory, `.twonode-${SHA256.slice(0, 16)}.part`)
  const deadline = Date.now() + 10_000
  while ((statSync(part, { throwIfNoEntry: false })?.size ?? 0) <= from && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 5))
  response.destroy()
}

const installed = () => readFileSync(join(directory, 'program'))
const files = () => readdirSync(directory).sort()

describe('from a URL', () => {
  test('arrives whole, with its mode and owner, and leaves nothing beside it', async () => {
    await hostWith().install(request({ kind: 'url', url }, { owner: 'postgres', group: 'daemon' }))
    expect(installed().equals(CONTENT)).toBe(true)
    expect(files()).toEqual(['program'])
    expect(await hostWith().stat(join(directory, 'program'))).toMatchObject({
      mode: 0o755,
      owner: 'postgres',
      group: 'daemon',
    })
  })

  test('goes on where a broken connection left it', async () => {
    let tries = 0
    answer = (incoming, response) => {
      tries += 1
      if (tries > 2) return serve(CONTENT)(incoming, response)
      const from = Number(/^bytes=(\d+)-$/.exec(incoming.headers.range ?? '')?.[1] ?? 0)
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': CONTENT.length - from })
      response.write(CONTENT.subarray(from, from + 300_000))
      void breakOnceGrown(response, from)
    }
    await hostWith().install(request({ kind: 'url', url }))
    expect(installed().equals(CONTENT)).toBe(true)
    expect(ranges[0]).toBeUndefined()
    expect(ranges.slice(1).every((range) => range?.startsWith('bytes=') === true)).toBe(true)
    expect(files()).toEqual(['program'])
  })

  test('goes on with the part that an interrupted run left', async () => {
    writeFileSync(
      join(directory, `.twonode-${SHA256.slice(0, 16)}.part`),
      CONTENT.subarray(0, 999_000),
    )
    await hostWith().install(request({ kind: 'url', url }))
    expect(ranges).toEqual(['bytes=999000-'])
    expect(installed().equals(CONTENT)).toBe(true)
  })

  test('takes a whole part without fetching anything', async () => {
    writeFileSync(join(directory, `.twonode-${SHA256.slice(0, 16)}.part`), CONTENT)
    await hostWith().install(request({ kind: 'url', url }))
    expect(installed().equals(CONTENT)).toBe(true)
  })

  test('a server without ranges sends all of it again', async () => {
    writeFileSync(join(directory, `.twonode-${SHA256.slice(0, 16)}.part`), 'some other bytes')
    answer = (_, response) => response.end(CONTENT)
    await hostWith().install(request({ kind: 'url', url }))
    expect(installed().equals(CONTENT)).toBe(true)
  })

  test('other content than the checksum says is refused; the old file stands, no part stays', async () => {
    writeFileSync(join(directory, 'program'), 'old')
    answer = serve(Buffer.from('something else'))
    const error = await refusal(hostWith().install(request({ kind: 'url', url })))
    expect(error.code).toBe('E_DOWNLOAD')
    expect(error.message).toContain(`not ${SHA256}`)
    expect(installed().toString()).toBe('old')
    expect(files()).toEqual(['program'])
  })

  test('redirects are followed, up to five', async () => {
    let turns = 0
    answer = (incoming, response) => {
      turns += 1
      if (turns <= 5) response.writeHead(302, { location: `/next-${turns}` }).end()
      else serve(CONTENT)(incoming, response)
    }
    await hostWith().install(request({ kind: 'url', url }))
    expect(installed().equals(CONTENT)).toBe(true)
    answer = (_, response) => response.writeHead(302, { location: '/again' }).end()
    const error = await refusal(
      hostWith().install(request({ kind: 'url', url }, { path: join(directory, 'b') })),
    )
    expect(error.message).toContain('more than 5 redirects')
  })

  test('a missing file fails at once, a server in trouble is asked again', async () => {
    answer = (_, response) => response.writeHead(404).end()
    const error = await refusal(hostWith().install(request({ kind: 'url', url })))
    expect(error.message).toContain('the server answered 404')
    expect(ranges.length).toBe(1)
    answer = (incoming, response) =>
      ranges.length < 3 ? void response.writeHead(503).end() : serve(CONTENT)(incoming, response)
    await hostWith().install(request({ kind: 'url', url }))
    expect(installed().equals(CONTENT)).toBe(true)
  })

  test('its time is bounded, and what came so far is kept for the next run', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length })
      response.write(CONTENT.subarray(0, 500_000))
    }
    const error = await refusal(
      hostWith().install(request({ kind: 'url', url }, { timeoutMs: 2_000 })),
    )
    expect(error).toMatchObject({ code: 'E_DOWNLOAD' })
    expect(error.message).toContain('did not arrive within 2 s')
    answer = serve(CONTENT)
    await hostWith().install(request({ kind: 'url', url }))
    expect(ranges.at(-1)).toMatch(/^bytes=\d+-$/)
    expect(installed().equals(CONTENT)).toBe(true)
  })

  test('an address that is no web address is refused', async () => {
    const error = await refusal(
      hostWith().install(request({ kind: 'url', url: 'file:///etc/passwd' })),
    )
    expect(error.message).toContain('neither http: nor https:')
  })
})

describe('from the controller or from a path', () => {
  test('a blob is asked for by its checksum', async () => {
    const asked: string[] = []
    const host = hostWith(async (sha256) => {
      asked.push(sha256)
      return Readable.from([CONTENT.subarray(0, 10), CONTENT.subarray(10)])
    })
    await host.install(request({ kind: 'blob', name: 'kine' }))
    expect(asked).toEqual([SHA256])
    expect(installed().equals(CONTENT)).toBe(true)
    expect(files()).toEqual(['program'])
  })

  test('a blob that breaks off or is another leaves nothing behind', async () => {
    const short = hostWith(async () => Readable.from([CONTENT.subarray(0, 10)]))
    expect((await refusal(short.install(request({ kind: 'blob', name: 'kine' })))).code).toBe(
      'E_DOWNLOAD',
    )
    const broken = hostWith(
      async () =>
        new Readable({
          read: (): never => {
            throw new Error('gone')
          },
        }),
    )
    expect(
      (await refusal(broken.install(request({ kind: 'blob', name: 'kine' })))).message,
    ).toContain('gone')
    expect(files()).toEqual([])
  })

  test('a path on the host is copied; a missing one and a full disk are said in words', async () => {
    const source = join(directory, 'source')
    writeFileSync(source, CONTENT)
    await hostWith().install(request({ kind: 'path', path: source }))
    expect(installed().equals(CONTENT)).toBe(true)
    const none = await refusal(hostWith().install(request({ kind: 'path', path: '/no/such' })))
    expect(none.message).toContain('/no/such')

    const small = join(directory, 'small')
    mkdirSync(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small])
    try {
      const path = join(small, 'program')
      const full = await refusal(
        hostWith().install(request({ kind: 'path', path: source }, { path })),
      )
      expect(full.code).toBe('E_FILESYSTEM')
      expect(full.message).toContain('no space left')
      expect(readdirSync(small)).toEqual([])
    } finally {
      execFileSync('umount', ['-l', small])
    }
  })

  test('a program is replaced while it runs', async () => {
    const path = join(directory, 'program')
    execFileSync('cp', ['/bin/sleep', path])
    const running = spawn(path, ['300'])
    try {
      const host = hostWith(async () => Readable.from([CONTENT]))
      await host.install(request({ kind: 'blob', name: 'kine' }))
      expect(installed().equals(CONTENT)).toBe(true)
      expect(running.exitCode).toBeNull()
    } finally {
      running.kill('SIGKILL')
    }
  })
})
