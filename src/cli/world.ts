import type { ExecResult } from '../core/host.ts'
import type { Bundle } from '../remote/bundle.ts'
import type { ProvideRelease } from './releases.ts'
import type { OpenSession } from './runner_session.ts'

/** A stream that people or programs read. */
export interface Output {
  write(text: string): void
  /** True when a person looks at it right now. */
  readonly isTerminal: boolean
  /** @unit characters */
  readonly columns: number
}

/** The laptop's file system, as far as a command may touch it. */
export interface LaptopFiles {
  /** UTF-8 text; undefined if there is no such file. Throws what the system says otherwise. */
  read(path: string): string | undefined
  /** Size and hex sha256 of a file of any size; undefined if there is none. */
  digest(path: string): { readonly size: number; readonly sha256: string } | undefined
  /** Names in a folder, sorted; undefined if there is none. */
  list(path: string): readonly string[] | undefined
  /** Refuses to replace a file unless told to. Makes missing folders. */
  write(path: string, content: string, options: { readonly replace: boolean }): void
}

export interface Questions {
  /** The answer to a question; undefined at end of input. Only on a terminal. */
  ask(question: string): Promise<string | undefined>
  /** The same, without showing what is typed. */
  askSecretly(question: string): Promise<string | undefined>
  /** False when nobody is there to answer. */
  readonly possible: boolean
}

/** The build that is running: what it brings for hosts. */
export interface Distribution {
  readonly version: string
  /** Folder of the playbooks that come with the program. */
  readonly playbooks: string
  /** Read when first needed. */
  readonly bundle: () => Bundle
}

/**
 * Everything that a command may touch. Commands and reporters get it as a value and know no
 * `process`, `console` or clock: a test runs the whole program with a world of its own.
 */
export interface World {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home: string
  /** Who converges, from where: `ana@laptop`. */
  readonly by: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly newRunId: () => string
  readonly files: LaptopFiles
  readonly questions: Questions
  /** Runs the command of a `!secret {exec}`; bounded. */
  readonly exec: (argv: readonly string[]) => ExecResult
  /** Brings a file of a release to this machine; what was fetched before is kept. */
  readonly release: ProvideRelease
  /** Opens a connection and starts the runner there. */
  readonly open: OpenSession
  /** Calls back at each Ctrl-C until disposed. */
  readonly onInterrupt: (listener: () => void) => () => void
  readonly distribution: Distribution
}
