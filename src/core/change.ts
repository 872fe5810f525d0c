import type { CertificateRequest } from './certificate.ts'
import type { ExecResult, InstallRequest, SiteSecretName, SqlValue, Statement } from './host.ts'
import type { SalvageRequest } from './salvage.ts'
import { MASK, Secret, type Text } from './secret.ts'

/**
 * Everything that may be done to a host, as plain data: printable, comparable, redactable.
 * `engine/apply.ts` is the only code that turns one into an effect. The union is closed: what can't
 * be said with it is a reason to extend it in review, not to escape it.
 */
export type Change =
  | Write
  | Attributes
  | MakeDirectory
  | MakeLink
  | Remove
  | Exec
  | Sql
  | SqlTransaction
  | Install
  | Issue
  | Obtain
  | Salvage
  | Await

/** Replace a file's content, atomically. */
export interface Write {
  readonly kind: 'write'
  readonly path: string
  readonly content: Text
  readonly mode: number
  readonly owner: string
  readonly group: string
  /** Content as read, for the diff and for "changed meanwhile"; undefined: there was no file. */
  readonly before: string | undefined
  /** Its permission bits as found, where they may differ from `mode`: the diff hides what they hid. */
  readonly beforeMode?: number
  readonly validate?: Validator
  /** The content is secret as a whole: the diff says so and shows nothing. */
  readonly secret?: boolean
}

export interface Attributes {
  readonly kind: 'attributes'
  readonly path: string
  readonly mode?: number
  readonly owner?: string
  readonly group?: string
  /** What it was, for people: `0600 root:root`. */
  readonly before: string
}

export interface MakeDirectory {
  readonly kind: 'directory'
  readonly path: string
  readonly mode: number
  readonly owner: string
  readonly group: string
}

export interface MakeLink {
  readonly kind: 'link'
  readonly path: string
  readonly target: string
}

export interface Remove {
  readonly kind: 'remove'
  readonly path: string
  readonly recursive: boolean
}

/** Run a command; another exit code than 0 (or those accepted) fails the step. */
export interface Exec {
  readonly kind: 'exec'
  readonly argv: readonly string[]
  readonly stdin?: Text
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  /** Begun and not waited for: nobody hears how it ends, and it has to end by itself. */
  readonly background?: boolean
  /** `any`: the module's verdict judges whatever it exits with. */
  readonly acceptCodes?: readonly number[] | 'any'
  /**
   * Run when the command failed; what it prints goes into the error's detail below the stderr. A
   * failed `systemctl start`, say, has no words of its own: the unit's last journal lines do. Its own
   * failure is ignored.
   */
  readonly diagnose?: readonly string[]
  /** Somebody is in its way for now: it is run again while it fails so, and its last failure counts. */
  readonly again?: Again
  /** @unit milliseconds */
  readonly timeoutMs: number
}

/** When a command that failed is run again. */
export interface Again {
  /** Any of these on its stderr. The command must not have begun its work then. */
  readonly words: readonly string[]
  /** @unit milliseconds */
  readonly forMs: number
}

/** One statement outside a transaction. */
export interface Sql {
  readonly kind: 'sql'
  readonly database: string
  readonly text: string
  readonly values?: readonly SqlValue[]
  /** @unit milliseconds */
  readonly timeoutMs?: number
  /**
   * The statement's failure does not fail the step: a DROP of a detached subscription, say, which a
   * later converge repeats. The reason is written beside it.
   */
  readonly tolerate?: string
}

export interface SqlTransaction {
  readonly kind: 'sqlTransaction'
  readonly database: string
  readonly statements: readonly Statement[]
  /** @unit milliseconds */
  readonly statementTimeoutMs: number
  /** @unit milliseconds */
  readonly lockTimeoutMs: number
}

export interface Install extends InstallRequest {
  readonly kind: 'install'
}

export interface Issue {
  readonly kind: 'issue'
  readonly request: CertificateRequest
  /** Why a new one is needed: missing, expires, another CA, other names. */
  readonly why: string
}

/** Get a secret that both hosts share, from the peer or newly made, into its place on this host. */
export interface Obtain {
  readonly kind: 'obtain'
  readonly secret: SiteSecretName
}

/** Save what a table has that the cluster will not have, in a folder, before the table is moved away. */
export interface Salvage {
  readonly kind: 'salvage'
  readonly request: SalvageRequest
}

/** Wait until something is true, polling; the bound passed fails the step, unless `otherwise` is there. */
export interface Await {
  readonly kind: 'await'
  readonly until: Condition
  /** For people: "the apply worker to end". */
  readonly what: string
  /** What people are told when the bound is passed, and can do: the run goes on then. */
  readonly otherwise?: string
  /** @unit milliseconds */
  readonly timeoutMs: number
  /** @unit milliseconds */
  readonly intervalMs: number
}

export type Condition =
  /** The first column of the first row is true. */
  | {
      readonly kind: 'sql'
      readonly database: string
      readonly text: string
      readonly values?: readonly SqlValue[]
    }
  | { readonly kind: 'exec'; readonly argv: readonly string[]; readonly user?: string }
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  | { readonly kind: 'file'; readonly path: string; readonly present: boolean }

/** How new content is judged before (or, for `sql`, right after) it replaces the old. */
export type Validator =
  | { readonly kind: 'yaml' }
  | { readonly kind: 'json' }
  /** argv with `{}` standing for the staged file. */
  | { readonly kind: 'exec'; readonly argv: readonly string[] }
  /** systemd-analyze verify, under the unit's own name. */
  | { readonly kind: 'unit' }
  /** Runs after the write; any row is a complaint, and the old content is put back. */
  | { readonly kind: 'sql'; readonly database: string; readonly text: string }

/** What a change gave back: only `exec` gives anything, and a wait that was given up. */
export type Outcome = ExecResult | undefined

/** One line for people and logs. Secrets show as the mask. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case 'write':
      return `${change.before === undefined ? 'create' : 'write'} ${change.path} (${octal(change.mode)} ${change.owner}:${change.group})`
    case 'attributes':
      return `set ${change.path} to ${attributesText(change)} (was ${change.before})`
    case 'directory':
      return `make directory ${change.path} (${octal(change.mode)} ${change.owner}:${change.group})`
    case 'link':
      return `link ${change.path} to ${change.target}`
    case 'remove':
      return `remove ${change.path}${change.recursive ? ' and all below it' : ''}`
    case 'exec':
      return `run ${change.argv.map(quoteForPeople).join(' ')}${change.user === undefined ? '' : ` as ${change.user}`}${change.background === true ? ' in the background' : ''}`
    case 'sql':
      return `sql in ${change.database}: ${oneLine(change.text)}${valuesText(change.values)}`
    case 'sqlTransaction':
      return `sql transaction in ${change.database}: ${change.statements.map((s) => oneLine(s.text) + valuesText(s.values)).join('; ')}`
    case 'install':
      return `install ${change.path} from ${sourceText(change)}`
    case 'issue':
      return `issue ${change.request.certificatePath} (${change.why})`
    case 'obtain':
      return `obtain the site's ${change.secret}`
    case 'salvage':
      return `save what branch ${change.request.branch} has of its own in ${change.request.folder}`
    case 'await':
      return `wait up to ${change.timeoutMs / 1000} s for ${change.what}`
    default:
      throw new Error(`unhandled change: ${(change satisfies never as Change).kind}`)
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

function attributesText({ mode, owner, group }: Attributes): string {
  const parts = [
    mode === undefined ? undefined : octal(mode),
    owner === undefined && group === undefined ? undefined : `${owner ?? ''}:${group ?? ''}`,
  ]
  return parts.filter((part) => part !== undefined).join(' ')
}

function quoteForPeople(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

function valuesText(values: readonly SqlValue[] | undefined): string {
  if (values === undefined || values.length === 0) return ''
  return ` [${values.map((v) => (v instanceof Secret ? MASK : String(v))).join(', ')}]`
}

function sourceText({ source, sha256 }: Install): string {
  const from =
    source.kind === 'url' ? source.url : source.kind === 'path' ? source.path : source.name
  return `${from} (sha256 ${sha256.slice(0, 12)}…)`
}
