import type { ForkPoint } from '../../src/core/site.ts'

/** A revision that was written: of a client, or the marker of a branch. One object wherever it is copied. */
export interface Row {
  readonly id: number
  /** Null: a client's. */
  readonly marker: { readonly branch: number; readonly fork: ForkPoint | null } | null
  /** A client has heard that it is written. */
  acknowledged: boolean
  /** Acknowledged when nobody who lacks it could have become leader by the rules: never to be lost. */
  guarded: boolean
}

/** kine's table: what is in it, and the four numbers of the fork point (A1), kept as rows come. */
export class Table {
  readonly rows: Set<Row>
  readonly #ids: Set<number>
  sum = 0
  max = 0
  highestBranch = 0

  constructor(rows: Iterable<Row> = []) {
    this.rows = new Set()
    this.#ids = new Set()
    for (const row of rows) this.add(row)
  }

  get count(): number {
    return this.rows.size
  }

  /** False: its key is taken, and the insert fails. */
  add(row: Row): boolean {
    if (this.#ids.has(row.id)) return false
    this.rows.add(row)
    this.#ids.add(row.id)
    this.sum += row.id
    if (row.id > this.max) this.max = row.id
    if (row.marker !== null && row.marker.branch > this.highestBranch)
      this.highestBranch = row.marker.branch
    return true
  }

  /** Takes back what a power cut took back: the last rows that came. */
  remove(rows: readonly Row[]): void {
    for (const row of rows) {
      this.rows.delete(row)
      this.#ids.delete(row.id)
      this.sum -= row.id
    }
    this.max = 0
    this.highestBranch = 0
    for (const row of this.rows) {
      if (row.id > this.max) this.max = row.id
      if (row.marker !== null && row.marker.branch > this.highestBranch)
        this.highestBranch = row.marker.branch
    }
  }

  has(row: Row): boolean {
    return this.rows.has(row)
  }

  sameAs(other: Table): boolean {
    if (this.count !== other.count || this.sum !== other.sum) return false
    for (const row of this.rows) if (!other.rows.has(row)) return false
    return true
  }

  /** What this one has and the other lacks. */
  without(other: Table): Row[] {
    return [...this.rows].filter((row) => !other.rows.has(row))
  }
}
