import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { NotYet, TwonodeError } from '../../src/core/errors.ts'
import type {
  ExecOptions,
  ExecResult,
  FileStat,
  Host,
  SqlValue,
  UnitState,
  WriteOptions,
} from '../../src/core/host.ts'
import { reveal, type Text } from '../../src/core/secret.ts'

/** One entry of a simulated disk. */
interface Entry {
  readonly kind: 'file' | 'directory' | 'link'
  readonly content: string
  readonly mode: number
  readonly owner: string
  readonly group: string
}

/** What outlives a power failure. */
export type Disk = Map<string, Entry>

/** A moment to die at: before the write that counts (a temporary file is left), or right after it. */
export interface Cut {
  /** Which write; the first is 1. */
  readonly at: number
  readonly when: 'before' | 'after'
}

export interface SimulatedHostOptions {
  readonly name: string
  readonly disk?: Disk
  readonly units?: Readonly<Record<string, UnitState>>
  readonly packages?: Readonly<Record<string, string>>
  /** Answers commands; undefined: the host was not told, and refuses. */
  readonly exec?: (
    argv: readonly string[],
    options: ExecOptions,
    disk: Disk,
  ) => ExecResult | undefined | Promise<ExecResult | undefined>
  readonly sql?: (
    text: string,
    values: readonly SqlValue[],
  ) => readonly unknown[] | undefined | Promise<readonly unknown[] | undefined>
  readonly reachable?: (address: string, port: number) => boolean
  readonly obtain?: Host['obtain']
  readonly cut?: Cut
  readonly now?: () => number
}

/** A whole machine in memory. It refuses whatever it was not told, and can lose power at any write. */
export interface SimulatedHost extends Host {
  readonly disk: Disk
  /** Writes so far, one line each. */
  readonly written: readonly string[]
  /** Reads so far, one line each. */
  readonly observed: readonly string[]
  /** Resolves when the power is gone; from then on no call ever returns. */
  readonly died: Promise<void>
}

const ROOT = { owner: 'root', group: 'root' } as const

export function createSimulatedHost(options: SimulatedHostOptions): SimulatedHost {
  const { name, disk = new Map<string, Entry>(), cut } = options
  const written: string[] = []
  const observed: string[] = []
  const power = new AbortController()
  const died = new Promise<void>((resolve) => {
    power.signal.addEventListener('abort', () => resolve())
  })

  async function read<T>(what: string, answer: () => T | Promise<T>): Promise<T> {
    await alive()
    observed.push(what)
    return await answer()
  }

  /** A write: counted, and the place where the power fails. */
  async function write(
    what: string,
    effect: () => void,
    torn: () => void = () => {},
  ): Promise<void> {
    await alive()
    written.push(what)
    const isLast = written.length === cut?.at
    if (isLast && cut.when === 'before') torn()
    else effect()
    if (isLast) power.abort()
    await alive()
  }

  async function alive(): Promise<void> {
    await Promise.resolve()
    if (power.signal.aborted) await new Promise<never>(() => {})
  }

  const put = (path: string, text: Text, wanted: Omit<WriteOptions, 'expected'>) => {
    if (!disk.has(dirname(path)) && dirname(path) !== '/')
      throw new TwonodeError('E_FILESYSTEM', `${dirname(path)} does not exist`)
    const { mode, owner, group } = wanted
    disk.set(path, { kind: 'file', content: reveal(text), mode, owner, group })
  }
  const check = (path: string, { expected }: WriteOptions) => {
    const found = disk.get(path)
    if ((found === undefined ? null : hash(found.content)) !== expected)
      throw new TwonodeError('E_CHANGED_MEANWHILE', `${path} was changed meanwhile`)
  }
  const tear = (path: string, text: Text) => () => {
    const left = join(dirname(path), `.twonode-dead.${basename(path)}`)
    disk.set(left, { kind: 'file', content: reveal(text).slice(0, 3), mode: 0o600, ...ROOT })
  }
  const refuse = (what: string): never => {
    throw new Error(`${name} was not told about ${what}`)
  }

  return {
    name,
    disk,
    written,
    observed,
    died,

    exec: async (argv, more = {}) => {
      let result: ExecResult | undefined
      await alive()
      const answer = options.exec
      if (answer === undefined) return refuse(argv.join(' '))
      // A command that begins with `read-` only looks.
      if (argv[0]?.startsWith('read-') === true) {
        observed.push(argv.join(' '))
        return (await answer(argv, more, disk)) ?? refuse(argv.join(' '))
      }
      const pending: Promise<void>[] = []
      await write(argv.join(' '), () => {
        pending.push(Promise.resolve(answer(argv, more, disk)).then((r) => void (result = r)))
      })
      await Promise.all(pending)
      await alive()
      return result ?? refuse(argv.join(' '))
    },
    readFile: async (path) => await read(`read ${path}`, () => disk.get(path)?.content),
    stat: async (path) => await read(`stat ${path}`, () => statOf(disk.get(path))),
    list: async (path) =>
      await read(`list ${path}`, () => {
        const names = [...disk.keys()].filter((p) => dirname(p) === path).map((p) => basename(p))
        return disk.has(path) || names.length > 0 ? names.toSorted() : undefined
      }),
    digest: async (path) =>
      await read(`digest ${path}`, () => {
        const found = disk.get(path)
        return found === undefined ? undefined : hash(found.content)
      }),
    sql: async <Row>(database: string, text: string, values: readonly SqlValue[] = []) => {
      const run = async () =>
        ((await options.sql?.(text, values)) ??
          refuse(`sql in ${database}: ${text}`)) as readonly Row[]
      if (/^\s*select/i.test(text)) return await read(text, run)
      let rows: Promise<readonly Row[]> | undefined
      await write(text, () => void (rows = run()))
      return (await rows) ?? []
    },
    certificate: async (path) => refuse(`the certificate ${path}`),
    reachable: async (address, port) =>
      await read(`reach ${address}:${port}`, () => options.reachable?.(address, port) ?? false),
    batch: {
      unit: async (unit) =>
        await read(`unit ${unit}`, () => {
          if (options.units === undefined) throw new NotYet('systemd is not running')
          return options.units[unit] ?? refuse(`the unit ${unit}`)
        }),
      packageVersion: async (wanted) =>
        await read(`package ${wanted}`, () => options.packages?.[wanted]),
      userId: async (user) => await read(`user ${user}`, () => (user === 'root' ? 0 : undefined)),
      groupId: async (group) =>
        await read(`group ${group}`, () => (group === 'root' ? 0 : undefined)),
    },
    now: options.now ?? (() => 0),

    writeFile: async (path, text, wanted) => {
      check(path, wanted)
      await write(`write ${path}`, () => put(path, text, wanted), tear(path, text))
    },
    stage: async (path, text, wanted) => {
      check(path, wanted)
      const temporary = join(dirname(path), `.twonode-staged.${basename(path)}`)
      await write(`stage ${path}`, () => put(temporary, text, wanted), tear(path, text))
      return {
        path: temporary,
        commit: async () =>
          await write(`commit ${path}`, () => {
            put(path, text, wanted)
            disk.delete(temporary)
          }),
        discard: async () => await write(`discard ${path}`, () => void disk.delete(temporary)),
      }
    },
    setAttributes: async (path, wanted) =>
      await write(`attributes ${path}`, () => {
        const found = disk.get(path)
        if (found === undefined) throw new TwonodeError('E_FILESYSTEM', `${path} does not exist`)
        disk.set(path, { ...found, ...wanted })
      }),
    makeDirectory: async (path, { mode, owner, group }) =>
      await write(`directory ${path}`, () => {
        disk.set(path, { kind: 'directory', content: '', mode, owner, group })
      }),
    makeLink: async (path, target) =>
      await write(`link ${path}`, () => {
        disk.set(path, { kind: 'link', content: target, mode: 0o777, ...ROOT })
      }),
    remove: async (path, recursive) =>
      await write(`remove ${path}`, () => {
        disk.delete(path)
        if (!recursive) return
        for (const below of [...disk.keys()].filter((p) => p.startsWith(`${path}/`)))
          disk.delete(below)
      }),
    transaction: async (_, statements) => {
      const done: Promise<unknown>[] = []
      const words = statements.map(({ text }) => text).join('; ')
      await write(words, () => {
        for (const { text, values = [] } of statements)
          done.push(Promise.resolve(options.sql?.(text, values)))
      })
      if ((await Promise.all(done)).includes(undefined)) refuse(words)
    },
    install: async ({ path, mode, owner, group, sha256 }) =>
      await write(
        `install ${path}`,
        () => put(path, `artifact ${sha256}`, { mode, owner, group }),
        () => {
          const part = join(dirname(path), `.twonode-${sha256.slice(0, 16)}.part`)
          disk.set(part, { kind: 'file', content: 'half', mode: 0o600, ...ROOT })
        },
      ),
    issue: async ({ certificatePath, keyPath, owner, group }) =>
      await write(`issue ${certificatePath}`, () => {
        put(keyPath, 'key', { mode: 0o600, owner, group })
        put(certificatePath, 'certificate', { mode: 0o644, owner, group })
      }),
    salvage: async ({ folder }) => await write(`salvage ${folder}`, () => {}),
    obtain: options.obtain ?? (async (secret) => refuse(`the secret ${secret}`)),
  }
}

/** A disk with these directories. */
export function diskWith(...directories: readonly string[]): Disk {
  return new Map(
    directories.map((path) => [path, { kind: 'directory', content: '', mode: 0o755, ...ROOT }]),
  )
}

function statOf(entry: Entry | undefined): FileStat | undefined {
  if (entry === undefined) return undefined
  const { kind, mode, owner, group, content } = entry
  const base = { kind, mode, uid: 0, gid: 0, owner, group, size: content.length }
  return kind === 'link' ? { ...base, target: content } : base
}

function hash(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}
