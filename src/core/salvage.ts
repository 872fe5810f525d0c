import type { ForkPoint } from './site.ts'

/** Version of a salvage's files. */
export const SALVAGE_FORMAT = 1

/** What is in a salvage's folder, beside what became of it. */
export const SALVAGE_FILES = {
  manifest: 'manifest.json',
  /** A line each change of a row, in the order of commits. */
  changes: 'changes.ndjson',
  /** A line each object that was changed. */
  objects: 'objects.ndjson',
  /** Replayed or discarded, by whom. */
  settled: 'settled.json',
} as const

/** Beside the folders: of which table of now it is known that it is the leader's content. */
export const VERIFIED_FILE = 'verified.json'

/** Where the losing branch's changes are looked for, best first. */
export type SalvageSource =
  /** The transactions that the slot shows from this position on: exactly those that the winner lacks (A1). */
  | { readonly kind: 'slot'; readonly slot: string; readonly lsn: string }
  /** Rows with higher ids than the fork's: one that committed late with a lower id is not among them. */
  | { readonly kind: 'above'; readonly id: number }
  /** The last version of every object: nothing says where the branch began. */
  | { readonly kind: 'all' }
  /** Nothing: all that this host has came from the leader of the same branch. */
  | { readonly kind: 'none' }

/** What a salvage of rows above the fork is, after why it is no better one. */
export function aboveWords(why: string): string {
  return `${why}: these are the changes above the fork's highest id; one of a lower id that was committed late is not among them`
}

/** Rows of the table, with which a salvage is known for that of this table as it is now. */
export interface TableNumbers {
  readonly count: number
  /** As text: it outgrows a number. */
  readonly sum: string
  readonly max: number
}

/** What a host is asked to save of a table that will not be the cluster's any more. */
export interface SalvageRequest {
  /** The folder to make. */
  readonly folder: string
  /** Where it is noted, in memory, that the disk does not take it. */
  readonly givenUp: string
  readonly database: string
  readonly publication: string
  readonly site: string
  readonly host: string
  /** The branch that has lost, and the one that goes on. */
  readonly branch: number
  readonly successor: { readonly branch: number; readonly leader: string }
  readonly table: number
  readonly fork: ForkPoint | null
  readonly numbers: TableNumbers
  readonly source: SalvageSource
  /** Why it is not the slot's own account; null: it is. */
  readonly inexact: string | null
  /** Beyond it values are left out, and stay in the table. @unit bytes */
  readonly maxBytes: number
}

/**
 * What a change of an object is. `spec`: somebody wanted it, or nobody can tell. `derived`: a controller
 * made it of another object. `lease`: heartbeats and locks. `own`: kine's and this project's own rows.
 */
export const SALVAGE_CLASSES = ['spec', 'derived', 'status', 'lease', 'event', 'own'] as const
export type SalvageClass = (typeof SALVAGE_CLASSES)[number]

export type SalvageCount = { readonly objects: number; readonly changes: number }

/** Written last: a folder without it is none. */
export interface SalvageManifest {
  readonly format: number
  readonly site: string
  readonly host: string
  readonly branch: number
  readonly successor: { readonly branch: number; readonly leader: string }
  readonly table: number
  readonly fork: ForkPoint | null
  readonly numbers: TableNumbers
  /** True: exactly the transactions beyond the fork. */
  readonly exact: boolean
  /** What else it is, and why; null while exact. */
  readonly inexact: string | null
  /** Why some values are in the old table only; null: all are here. */
  readonly missing: string | null
  readonly transactions: number
  /** Of the first and last commit; null where nobody knows. */
  readonly from: string | null
  readonly until: string | null
  /** When it was saved. */
  readonly at: string
  readonly counts: Readonly<Record<SalvageClass, SalvageCount>>
  readonly files: Readonly<Record<'changes' | 'objects', SalvageFile>>
}

export interface SalvageFile {
  readonly bytes: number
  readonly sha256: string
}

/** An object that the branch changed: a line of `objects.ndjson`. */
export interface SalvagedObject {
  /** kine's name of it. */
  readonly key: string
  readonly class: SalvageClass
  /** Against the fork. `none`: it is as it was there. */
  readonly change: 'created' | 'changed' | 'deleted' | 'none' | 'unknown'
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly owner: string | null
  readonly changes: number
  /** Lines of `changes.ndjson`, with the value at the fork and the last one; null: cut off. */
  readonly first: Range | null
  readonly last: Range | null
}

/** Bytes of a file. */
export interface Range {
  readonly at: number
  readonly length: number
}

/** A change of a row: a line of `changes.ndjson`. */
export interface SalvagedChange {
  readonly op: 'insert' | 'update' | 'delete' | 'truncate'
  readonly xid: number | null
  readonly at: string | null
  readonly id: number
  /** kine's name of the object; a delete tells the id only. */
  readonly name: string | null
  readonly created: boolean
  readonly deleted: boolean
  readonly create_revision: number
  readonly prev_revision: number
  readonly lease: number
  /** base64; null: none, or left out. */
  readonly value: string | null
  /** What it replaced, on the first change of each object only: later ones are here already. */
  readonly old_value: string | null
}
