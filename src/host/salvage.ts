import { mkdir, rename, rm, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TwonodeError, messageOf } from '../core/errors.ts'
import {
  aboveWords,
  SALVAGE_FILES,
  SALVAGE_FORMAT,
  type SalvagedChange,
  type SalvageManifest,
  type SalvageRequest,
} from '../core/salvage.ts'
import { BranchObjects, MOST_OBJECTS } from '../salvage/branch_objects.ts'
import { BranchTransactions } from '../salvage/branch_transactions.ts'
import { type RowChange, rowOfColumns } from '../salvage/kine_row.ts'
import { isAbsent, isFilesystemError } from './filesystem_error.ts'
import type { PostgresOptions } from './postgres_session.ts'
import { losesConnection } from './postgres_trouble.ts'
import { SalvageLines } from './salvage_file.ts'
import { salvageRows } from './salvage_rows.ts'
import { syncDirectory } from './staged_file.ts'

/** Of what is free now: the copy that comes after needs the rest. */
const SHARE_OF_FREE = 0.5

/**
 * Saves what a branch has that its winner has not: beside its place first, whole and on the disk, and
 * renamed then, so that a folder with its name is always a whole one. A disk that does not take it keeps
 * nobody from returning: the table stays in its schema, and why is noted in memory.
 */
async function saveBranch(request: SalvageRequest, place: Place): Promise<void> {
  try {
    await saveBest(request, place)
  } catch (error) {
    if (!isFilesystemError(error)) throw error
    await rm(partOf(request.folder), { recursive: true, force: true }).catch(() => {})
    await mkdir(dirname(request.givenUp), { recursive: true, mode: 0o700 })
    const text = `${JSON.stringify({ numbers: request.numbers, why: messageOf(error) })}\n`
    await writeFile(request.givenUp, text, { mode: 0o600 })
  }
}

/** The slot's own account, or, where PostgreSQL can not give it, the rows above the fork. */
async function saveBest(request: SalvageRequest, place: Place): Promise<void> {
  try {
    await new Salvage(request, place).save()
  } catch (error) {
    const { source, fork } = request
    if (source.kind !== 'slot' || fork === null || !isUnreadable(error)) throw error
    const why = `the slot ${source.slot} can not be read (${messageOf(error)})`
    const above = { source: { kind: 'above', id: fork.max }, inexact: aboveWords(why) } as const
    await new Salvage({ ...request, ...above }, place).save()
  }
}

/** Another look would find the same: no lost connection, and nobody who reads the slot just now. */
function isUnreadable(error: unknown): boolean {
  if (!(error instanceof TwonodeError)) return false
  if (error.code === 'E_FAILED') return true
  const isRefused = error.code === 'E_SQL' && !losesConnection(error.cause)
  return isRefused && !error.message.includes('is active for')
}

interface Place {
  readonly options: PostgresOptions
  /** Aborted: its session ends, and with it what waits for an answer. */
  readonly ended: AbortSignal
}

/** What saves branches on this machine. */
export interface Salvager {
  readonly save: (request: SalvageRequest) => Promise<void>
  /** Whatever is under way ends with an error; the next one begins anew. */
  readonly end: () => void
}

export function createSalvager(options: PostgresOptions): Salvager {
  let ending = new AbortController()
  return {
    save: async (request) => await saveBranch(request, { options, ended: ending.signal }),
    end: () => {
      ending.abort(new TwonodeError('E_INTERRUPTED', 'something more urgent is to be done'))
      ending = new AbortController()
    },
  }
}

const partOf = (folder: string): string => `${folder}.part`

class Salvage {
  readonly #request: SalvageRequest
  readonly #place: Place
  #missing: string | null = null
  #budget = 0

  constructor(request: SalvageRequest, place: Place) {
    this.#request = request
    this.#place = place
  }

  async save(): Promise<void> {
    const { folder } = this.#request
    const part = partOf(folder)
    await rm(part, { recursive: true, force: true })
    await mkdir(dirname(folder), { recursive: true, mode: 0o700 })
    await mkdir(part, { mode: 0o700 })
    this.#budget = await budgetOf(part, this.#request.maxBytes)
    const manifest = await this.#fill(part)
    const file = await SalvageLines.create(join(part, SALVAGE_FILES.manifest))
    await file.add(manifest)
    await file.close()
    await syncDirectory(part)
    await takePlace(part, folder)
  }

  async #fill(part: string): Promise<SalvageManifest> {
    const { source, inexact } = this.#request
    const objects = new BranchObjects(source.kind !== 'all')
    const changes = await SalvageLines.create(join(part, SALVAGE_FILES.changes))
    try {
      const account = await this.#changes(objects, changes)
      const list = await SalvageLines.create(join(part, SALVAGE_FILES.objects))
      try {
        for (const object of objects.objects()) await list.add(object)
        if (objects.beyond > 0)
          this.#missing ??= `more than ${MOST_OBJECTS} objects were changed: ${objects.beyond} changes are of objects that are not listed`
        const files = { changes: await changes.close(), objects: await list.close() }
        return this.#manifest({ ...account, inexact, counts: objects.counts(), files })
      } finally {
        await list.abandon()
      }
    } finally {
      await changes.abandon()
    }
  }

  async #changes(objects: BranchObjects, lines: SalvageLines) {
    const { source } = this.#request
    const transactions = new BranchTransactions(source.kind === 'slot' ? source.lsn : '0/0')
    for await (const row of salvageRows(this.#place, this.#request)) {
      if (source.kind === 'slot') {
        const data = row['data']
        if (!Buffer.isBuffer(data)) throw new TwonodeError('E_BUG', 'a message without its bytes')
        for (const { xid, at, row: change } of transactions.take(data))
          await this.#keep(objects, lines, { xid, at, change })
      } else {
        await this.#keep(objects, lines, { xid: null, at: null, change: rowOfColumns(row) })
      }
    }
    const { from, until } = transactions
    return { transactions: transactions.transactions, from, until }
  }

  async #keep(
    objects: BranchObjects,
    lines: SalvageLines,
    { xid, at, change }: Pick<SalvagedChange, 'xid' | 'at'> & { readonly change: RowChange },
  ): Promise<void> {
    const line = lineOf(change, objects.isFirst(change))
    const size = (line.value?.length ?? 0) + (line.old_value?.length ?? 0)
    const isCut = lines.bytes + size > this.#budget
    if (isCut)
      this.#missing ??= `beyond ${this.#budget} bytes values were left out (half of the free space, or salvage.maxSize): they are in the old table`
    // Without its values a line is short, but there may be many.
    const kept = isCut ? { ...line, value: null, old_value: null } : line
    const range = lines.bytes > 2 * this.#budget ? null : await lines.add({ xid, at, ...kept })
    objects.add(change, isCut ? null : range)
  }

  #manifest(
    found: Pick<
      SalvageManifest,
      'transactions' | 'from' | 'until' | 'inexact' | 'counts' | 'files'
    >,
  ): SalvageManifest {
    const { site, host, branch, successor, table, fork, numbers } = this.#request
    return {
      format: SALVAGE_FORMAT,
      site,
      host,
      branch,
      successor,
      table,
      fork,
      numbers,
      exact: found.inexact === null,
      missing: this.#missing,
      at: new Date().toISOString(),
      ...found,
    }
  }
}

function lineOf(
  { op, id, name, created, deleted, createRevision, prevRevision, lease, ...row }: RowChange,
  isFirst: boolean,
): Omit<SalvagedChange, 'xid' | 'at'> {
  const value = row.value?.toString('base64') ?? null
  const old = isFirst ? (row.oldValue?.toString('base64') ?? null) : null
  const revisions = { create_revision: createRevision, prev_revision: prevRevision }
  return { op, id, name, created, deleted, ...revisions, lease, value, old_value: old }
}

async function budgetOf(folder: string, maxBytes: number): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return Math.min(maxBytes, Math.floor(bavail * bsize * SHARE_OF_FREE))
}

/** What was saved of the same table before, and is older than it, goes when this is in its place. */
async function takePlace(part: string, folder: string): Promise<void> {
  const old = `${folder}.old`
  await rm(old, { recursive: true, force: true })
  await rename(folder, old).catch((error: unknown) => {
    if (!isAbsent(error)) throw error
  })
  await rename(part, folder)
  await syncDirectory(dirname(folder))
  await rm(old, { recursive: true, force: true })
}
