import type { CertificateInfo, CertificateQuery, CertificateRequest } from './certificate.ts'
import type { SalvageRequest } from './salvage.ts'
import type { Secret, Text } from './secret.ts'

/** How a command ended. A non-zero code is data, not an exception. */
export interface ExecResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface ExecOptions {
  /** Written to the command's standard input; the only way a secret may reach a command. */
  readonly stdin?: Text
  /** @unit milliseconds. Default {@link EXEC_TIMEOUT_MS}; on expiry the process group is ended. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  /** Run as this system user. Default: root, as the runner itself. */
  readonly user?: string
  /**
   * Begun and not waited for: 0 once it runs. It goes on without our streams and without the converge's
   * lock, and has to end by itself.
   */
  readonly background?: boolean
}

/**
 * Bound of a command that names no other. Reads take milliseconds; a minute means that it hangs.
 * @unit milliseconds
 */
export const EXEC_TIMEOUT_MS = 60_000

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Names; the number as text when the system knows no name. */
  readonly owner: string
  readonly group: string
  /** @unit bytes */
  readonly size: number
  /** Where a link points, unresolved. */
  readonly target?: string
}

/** What `systemctl show` says of one unit. `load: 'not-found'` for a unit without a file. */
export interface UnitState {
  readonly load: 'loaded' | 'not-found' | 'masked' | 'bad-setting' | 'error'
  readonly active: 'active' | 'inactive' | 'failed' | 'activating' | 'deactivating' | 'reloading'
  readonly sub: string
  readonly enabled: boolean
  /** True when the unit has no [Install] section: enable and disable mean nothing for it. */
  readonly isStatic: boolean
  /** The unit's file is newer than what systemd has loaded. */
  readonly needsReload: boolean
  readonly mainPid: number
  /** systemd was told something of it that it has not done yet: a start, if the unit does not run. */
  readonly hasJob: boolean
  /** When it last became active, µs on the monotonic clock; 0 if never. */
  readonly activeSinceUs: number
}

/** One connection a database, all statements bounded, synchronous_commit = local (B1). */
export type SqlValue = string | number | boolean | bigint | null | Secret

/**
 * The reading half of the door to a machine. Modules observe through it and see nothing else: no
 * ssh2, no zx, no pg, no node:fs. Methods throw {@link NotYet} when what they need does not exist
 * yet: the binary of `exec`, the socket, role or database of `sql`, systemd itself.
 */
export interface Observer {
  readonly name: string
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>
  /** Content as UTF-8, or undefined if there is no such file. Refuses files over 8 MB. */
  readFile(path: string): Promise<string | undefined>
  /** lstat: a link is seen as itself. */
  stat(path: string): Promise<FileStat | undefined>
  /** Names in a directory, sorted; undefined if there is none. */
  list(path: string): Promise<readonly string[] | undefined>
  /** Hex sha256 of a file; undefined if there is none. Remembered for big files by their inode. */
  digest(path: string): Promise<string | undefined>
  /** Bounds: those of a read (30 s, locks 5 s) unless others are given. */
  sql<Row>(
    database: string,
    text: string,
    values?: readonly SqlValue[],
    bounds?: SqlBounds,
  ): Promise<readonly Row[]>
  /**
   * What a PEM certificate in a file says, judged against the CA and key of the query; undefined if
   * there is no file. Throws {@link NotYet} when the CA's certificate does not exist yet.
   */
  certificate(path: string, query: CertificateQuery): Promise<CertificateInfo | undefined>
  /** True if a TCP connection opens within the time. */
  reachable(address: string, port: number, timeoutMs: number): Promise<boolean>
  /** Reads shared by all steps of a converge: asked in one turn of the loop, answered by one command. */
  readonly batch: {
    unit(name: string): Promise<UnitState>
    /** Installed version of a Debian package, or undefined. */
    packageVersion(name: string): Promise<string | undefined>
    /** The numeric id of a user; undefined if there is none. */
    userId(name: string): Promise<number | undefined>
    groupId(name: string): Promise<number | undefined>
  }
  /** Milliseconds since 1970. */
  now(): number
}

export interface WriteOptions {
  readonly mode: number
  readonly owner: string
  readonly group: string
  /** Digest of the file that was read, null when there was none: the write is refused if it differs. */
  readonly expected: string | null
}

/** The whole door. Only engine/apply.ts calls the writing half. */
export interface Host extends Observer {
  /** Writes beside the target, fsyncs, renames, fsyncs the directory: no reader sees half a file. */
  writeFile(path: string, content: Text, options: WriteOptions): Promise<void>
  /** A temporary file beside `path` with this content, for a validator; the caller removes it. */
  stage(path: string, content: Text, options: WriteOptions): Promise<StagedFile>
  setAttributes(path: string, wanted: Partial<Omit<WriteOptions, 'expected'>>): Promise<void>
  makeDirectory(path: string, options: Omit<WriteOptions, 'expected'>): Promise<void>
  makeLink(path: string, target: string): Promise<void>
  /** Removes a file, link or (with recursive) a directory; no error if there is none. */
  remove(path: string, recursive: boolean): Promise<void>
  /** Statements in one transaction, with the bounds given. */
  transaction(database: string, statements: readonly Statement[], bounds: SqlBounds): Promise<void>
  /** Brings an artifact into place: fetch or receive, verify, unpack, rename. Never a half file. */
  install(artifact: InstallRequest): Promise<void>
  /** A certificate and key signed by a CA whose key is on this host. */
  issue(request: CertificateRequest): Promise<void>
  /** Puts a secret that both hosts of the site share into its place: the peer's, or a new one. */
  obtain(name: SiteSecretName): Promise<void>
  /**
   * Saves what a branch has of its own: a whole folder, or, where the disk does not take it, a note of
   * that in memory.
   */
  salvage(request: SalvageRequest): Promise<void>
}

export interface StagedFile {
  readonly path: string
  /** fsync, rename over the target, fsync the directory. */
  commit(): Promise<void>
  discard(): Promise<void>
}

export interface Statement {
  readonly text: string
  readonly values?: readonly SqlValue[]
}

export interface SqlBounds {
  /** @unit milliseconds */
  readonly statementTimeoutMs: number
  /** @unit milliseconds */
  readonly lockTimeoutMs: number
}

/** Where an artifact's bytes come from. A blob is sent by the controller, found by its sha256. */
export type ArtifactSource =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'blob'; readonly name: string }
  | { readonly kind: 'path'; readonly path: string }

export interface InstallRequest {
  readonly source: ArtifactSource
  /** Hex sha256 of the artifact as fetched (of the archive, if it is one). */
  readonly sha256: string
  readonly path: string
  readonly mode: number
  readonly owner: string
  readonly group: string
  /** For archives (tar, tar.gz): the member that becomes `path`. */
  readonly member?: string
  /** @unit milliseconds */
  readonly timeoutMs: number
}

/** Secrets that are made once a site, on the first host, and held by both. */
export type SiteSecretName = 'ca' | 'k3s-token'

/**
 * Where they live: root, 0600 (the CA's certificate 0644). A maker writes and fsyncs them here before
 * the peer hears of them, so that no cut can leave two hosts with two of a kind.
 */
export const SITE_SECRET_FILES = {
  ca: { certificate: '/etc/twonode/pki/ca.crt', key: '/etc/twonode/pki/ca.key' },
  'k3s-token': { key: '/etc/twonode/pki/k3s-token' },
} as const
