import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Event } from '../../src/core/events.ts'
import type { FromRunner, ToRunner } from '../../src/core/protocol.ts'

/** How long a test waits for a message. Generous: the machine is shared. @unit milliseconds */
const DEADLINE_MS = 20_000

/** Parts of CommonJS inside an ES module need these names, as in the real bundle. */
const REQUIRE = `import { createRequire as __cr } from 'node:module'
import { fileURLToPath as __fu } from 'node:url'
import { dirname as __dn } from 'node:path'
const require = __cr(import.meta.url), __filename = __fu(import.meta.url), __dirname = __dn(__filename)`

/** A runner's program, bundled; made once for a file of tests. */
export interface RunnerProgram {
  readonly file: string
  readonly remove: () => void
}

/** @param bundle - the name of the folder that it lies in, where the program asks for that. */
export async function buildRunner(
  entry = 'test/support/runner_entry.ts',
  bundle = '',
): Promise<RunnerProgram> {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-runner-'))
  await build({
    entryPoints: { main: join(import.meta.dirname, '../..', entry) },
    outdir: join(folder, bundle),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: REQUIRE },
    external: ['pg-native'],
    logLevel: 'error',
  })
  return {
    file: join(folder, bundle, 'main.mjs'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A runner under test: a real process with a real host in a folder of its own. */
export class RunnerProcess {
  readonly child: ChildProcess
  readonly messages: FromRunner[] = []
  readonly exited: Promise<number | null>
  #rest = ''
  readonly #news = new EventEmitter()

  constructor({ file }: RunnerProgram, root: string, bundle = 'test') {
    this.child = spawn(process.execPath, [file, root, bundle], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    this.child.stdin?.on('error', () => {})
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code) => {
        resolve(code)
        this.#news.emit('news')
      })
    })
  }

  send(message: ToRunner): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  sendRaw(bytes: Buffer | string): void {
    this.child.stdin?.write(bytes)
  }

  /** The first message that fits, come or still to come. */
  async message<T extends FromRunner>(fits: (message: FromRunner) => message is T): Promise<T> {
    const end = Date.now() + DEADLINE_MS
    for (;;) {
      const found = this.messages.find(fits)
      if (found !== undefined) return found
      if (Date.now() > end || this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(
          `no such message; there were:\n${this.messages.map((m) => JSON.stringify(m)).join('\n')}`,
        )
      await once(this.#news, 'news', { signal: AbortSignal.timeout(end - Date.now() + 1) }).catch(
        () => {},
      )
    }
  }

  get events(): readonly Event[] {
    return this.messages.filter((message): message is Event => 'event' in message)
  }

  end(): void {
    this.child.stdin?.end()
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child.kill(signal)
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    this.messages.push(...lines.map((line) => JSON.parse(line) as FromRunner))
    this.#news.emit('news')
  }
}

export const isEvent =
  <K extends Event['event']>(kind: K) =>
  (message: FromRunner): message is Extract<Event, { event: K }> =>
    'event' in message && message.event === kind

export const isType =
  <K extends Exclude<FromRunner, Event>['type']>(kind: K) =>
  (message: FromRunner): message is Extract<FromRunner, { type: K }> =>
    'type' in message && message.type === kind

/** Whether a process of this command line runs on this machine: a journal tells of it before it does. */
export function runs(...argv: readonly string[]): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => commandLine(pid) === `${argv.join('\0')}\0`)
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // It ended meanwhile.
    return ''
  }
}
