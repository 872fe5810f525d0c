import { createHash } from 'node:crypto'
import { isAbsolute, join } from 'node:path'
import type { ExitCode } from '../../../src/core/errors.ts'
import { main } from '../../../src/cli/program.ts'
import type { OpenSession } from '../../../src/cli/runner_session.ts'
import type { Output, World } from '../../../src/cli/world.ts'

export interface TestWorld extends World {
  readonly out: () => string
  readonly err: () => string
  /** As if somebody pressed Ctrl-C. */
  readonly interrupt: () => void
  readonly written: Map<string, string>
}

export interface TestWorldOptions {
  /** By path; relative ones stand in the working directory. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly terminal?: boolean
  /** What a person types, line by line; absent: nobody is there. */
  readonly answers?: readonly string[]
  readonly open?: OpenSession
  /** Told of the world before the command begins. */
  readonly onWorld?: (world: TestWorld) => void
}

const CWD = '/home/ana/site'
export const PLAYBOOKS = '/usr/lib/twonode/playbooks'

/** A laptop in memory. A connection that a test did not provide for is a failure of that test. */
export function testWorld(options: TestWorldOptions = {}): TestWorld {
  const files = new Map<string, string>()
  for (const [path, text] of Object.entries(options.files ?? {}))
    files.set(isAbsolute(path) ? path : join(CWD, path), text)
  const written = new Map<string, string>()
  const [stdout, out] = memoryOutput(options.terminal === true)
  const [stderr, err] = memoryOutput(options.terminal === true)
  const listeners = new Set<() => void>()
  const answers = [...(options.answers ?? [])]
  const ask = (question: string) => {
    stderr.write(question)
    return Promise.resolve(answers.shift())
  }
  return {
    stdout,
    stderr,
    out,
    err,
    written,
    env: { TERM: 'xterm', ...options.env },
    cwd: CWD,
    home: '/home/ana',
    by: 'ana@laptop',
    now: () => 0,
    newRunId: () => 'run-1',
    files: {
      read: (path) => files.get(path),
      list: (path) => listOf(files, path),
      digest: (path) => digestOf(files.get(path)),
      write(path, content, { replace }) {
        if (!replace && files.has(path)) throw new Error(`${path} exists`)
        files.set(path, content)
        written.set(path, content)
      },
    },
    questions: { possible: options.answers !== undefined, ask, askSecretly: ask },
    exec: (argv) => ({ code: 127, stdout: '', stderr: `${argv[0] ?? ''}: no such command` }),
    release: ({ project }) =>
      Promise.reject(new Error(`nothing was to be fetched, and ${project} was`)),
    open:
      options.open ??
      (({ host }) =>
        Promise.reject(new Error(`no connection was to be opened, and one to ${host.name} was`))),
    onInterrupt(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    interrupt: () => listeners.forEach((listener) => listener()),
    distribution: {
      version: '1.0.0',
      playbooks: PLAYBOOKS,
      bundle: () => ({ sha256: 'b'.repeat(64), files: [] }),
    },
  }
}

/** One command line, as a shell would run it. */
export async function runCommandLine(
  line: string,
  options: TestWorldOptions = {},
): Promise<{ exit: ExitCode; out: string; err: string; world: TestWorld }> {
  const world = testWorld(options)
  options.onWorld?.(world)
  const exit = await main(
    line.split(' ').filter((word) => word !== ''),
    world,
  )
  return { exit, out: world.out(), err: world.err(), world }
}

export function memoryOutput(isTerminal: boolean): [Output, () => string] {
  const parts: string[] = []
  return [
    { write: (text) => void parts.push(text), isTerminal, columns: 100 },
    () => parts.join(''),
  ]
}

function listOf(files: ReadonlyMap<string, string>, folder: string): readonly string[] | undefined {
  const prefix = `${folder}/`
  const names = [...files.keys()].flatMap((path) =>
    path.startsWith(prefix) ? [path.slice(prefix.length).split('/')[0] ?? ''] : [],
  )
  return names.length === 0 ? undefined : [...new Set(names)].toSorted()
}

function digestOf(text: string | undefined): { size: number; sha256: string } | undefined {
  if (text === undefined) return undefined
  return { size: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') }
}
