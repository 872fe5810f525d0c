import { NotYet } from '../../src/core/errors.ts'
import type { CertificateInfo } from '../../src/core/certificate.ts'
import type { ExecResult, FileStat, Observer, UnitState } from '../../src/core/host.ts'
import { STOPPED_UNIT } from './stopped_unit.ts'

/** What a host answers, as a case file says it. Whatever is not in it is refused. */
export interface Script {
  /** By path: text, more, or null for "there is no such file". */
  readonly files?: Readonly<Record<string, string | ScriptedFile | null>>
  readonly directories?: readonly string[]
  readonly exec?: readonly ScriptedExec[]
  readonly sql?: readonly ScriptedQuery[]
  readonly units?: Readonly<Record<string, Partial<UnitState>>>
  /** Installed version, or null. */
  readonly packages?: Readonly<Record<string, string | null>>
  readonly users?: readonly string[]
  readonly digests?: Readonly<Record<string, string | null>>
  /** `address:port`: whether it answers. */
  readonly tcp?: Readonly<Record<string, boolean>>
  readonly certificates?: Readonly<Record<string, CertificateInfo | null>>
  /** ISO time. */
  readonly now?: string
}

interface ScriptedFile {
  readonly content?: string
  readonly kind?: FileStat['kind']
  /** Quoted octal. */
  readonly mode?: string
  readonly owner?: string
  readonly group?: string
  readonly target?: string
}

interface ScriptedExec extends Partial<ExecResult> {
  readonly argv: readonly string[]
  /** The command is not installed. */
  readonly missing?: boolean
}

interface ScriptedQuery {
  /** Part of the statement. */
  readonly match: string
  readonly rows?: readonly object[]
  /** It can not be asked yet, for this reason. */
  readonly notYet?: string
}

/** A host that only answers what it was told, and throws at anything else. */
export function createScriptedHost(script: Script): Observer {
  const file = (path: string): ScriptedFile | undefined => {
    if (script.directories?.includes(path) === true) return { kind: 'directory', mode: '0755' }
    const told = script.files?.[path]
    if (told === undefined) return untold(`what ${path} is`)
    if (told === null) return undefined
    return typeof told === 'string' ? { content: told } : told
  }
  const account = async (name: string) =>
    name === 'root' || script.users?.includes(name) === true ? 1000 : undefined

  return {
    name: 'h1',
    exec: async (argv) => {
      const told = script.exec?.find((one) => one.argv.join(' ') === argv.join(' '))
      if (told === undefined) return untold(`what ${argv.join(' ')} answers`)
      if (told.missing === true) throw new NotYet(`${argv[0]} is not installed`)
      return { code: told.code ?? 0, stdout: told.stdout ?? '', stderr: told.stderr ?? '' }
    },
    readFile: async (path) => {
      const found = file(path)
      return found === undefined ? undefined : (found.content ?? '')
    },
    stat: async (path) => statOf(file(path)),
    list: async (path) => {
      const names = Object.entries(script.files ?? {})
        .filter(([name, told]) => name.startsWith(`${path}/`) && told !== null)
        .map(([name]) => name.slice(path.length + 1))
        .filter((name) => !name.includes('/'))
      if (names.length > 0 || script.directories?.includes(path) === true) return names.toSorted()
      return script.files?.[path] === null ? undefined : untold(`what is in ${path}`)
    },
    digest: async (path) => {
      const told = script.digests?.[path]
      return told === undefined ? untold(`the digest of ${path}`) : (told ?? undefined)
    },
    sql: async <Row>(database: string, text: string) => {
      const told = script.sql?.find(({ match }) => oneLine(text).includes(oneLine(match)))
      if (told === undefined) return untold(`what ${oneLine(text)} gives in ${database}`)
      if (told.notYet !== undefined) throw new NotYet(told.notYet)
      return (told.rows ?? []) as readonly Row[]
    },
    certificate: async (path) => {
      const told = script.certificates?.[path]
      return told === undefined ? untold(`the certificate ${path}`) : (told ?? undefined)
    },
    reachable: async (address, port) =>
      script.tcp?.[`${address}:${port}`] ?? untold(`whether ${address}:${port} answers`),
    batch: {
      unit: async (name) => {
        const told = script.units?.[name]
        return told === undefined ? untold(`the unit ${name}`) : { ...STOPPED_UNIT, ...told }
      },
      packageVersion: async (name) => {
        const told = script.packages?.[name]
        return told === undefined ? untold(`the package ${name}`) : (told ?? undefined)
      },
      userId: account,
      groupId: account,
    },
    now: () => Date.parse(script.now ?? '2026-01-01T00:00:00Z'),
  }
}

function statOf(file: ScriptedFile | undefined): FileStat | undefined {
  if (file === undefined) return undefined
  const {
    kind = 'file',
    mode = '0644',
    owner = 'root',
    group = 'root',
    content = '',
    target,
  } = file
  return {
    kind,
    mode: Number.parseInt(mode, 8),
    uid: 0,
    gid: 0,
    owner,
    group,
    size: content.length,
    ...(target === undefined ? {} : { target }),
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

function untold(what: string): never {
  throw new Error(`the case does not say: ${what}`)
}
