import { type RowChange, rowOfTuple, TRUNCATED } from './kine_row.ts'
import { lsnOf, parseMessage, type Relation } from './pgoutput.ts'

/** A change, and the transaction that made it. */
export interface TransactionChange {
  readonly xid: number
  readonly at: string
  readonly row: RowChange
}

/**
 * Reads what a slot shows, message by message, and gives the changes of kine's table by the transactions
 * that ended beyond a position (A1): the origin's word for what the other host had is the end of a
 * transaction, and the next one's commit begins there or later.
 */
export class BranchTransactions {
  readonly #beyond: bigint
  readonly #relations = new Map<number, Relation>()
  #current: { readonly xid: number; readonly at: string } | undefined
  /** How many ended beyond the position. */
  transactions = 0
  from: string | null = null
  until: string | null = null

  constructor(lsn: string) {
    this.#beyond = lsnOf(lsn)
  }

  /** @throws TwonodeError for a message that can not be read */
  take(data: Buffer): readonly TransactionChange[] {
    const message = parseMessage(data)
    switch (message.kind) {
      case 'relation':
        this.#relations.set(message.relation.id, message.relation)
        return []
      case 'begin': {
        const { finalLsn, xid, at } = message
        this.#current = finalLsn >= this.#beyond ? { xid, at } : undefined
        return []
      }
      case 'commit':
        this.#end()
        return []
      case 'insert':
      case 'update':
        return this.#change(message.kind, message.relation, message.row)
      case 'delete':
        return this.#change('delete', message.relation, message.key)
      case 'truncate':
        return this.#truncate(message.relations)
      case 'other':
        return []
      default:
        throw new Error(`unhandled message: ${(message satisfies never as { kind: string }).kind}`)
    }
  }

  #end(): void {
    if (this.#current === undefined) return
    this.transactions += 1
    this.from ??= this.#current.at
    this.until = this.#current.at
    this.#current = undefined
  }

  #change(
    op: 'insert' | 'update' | 'delete',
    id: number,
    tuple: Parameters<typeof rowOfTuple>[2],
  ): readonly TransactionChange[] {
    const relation = this.#relations.get(id)
    if (this.#current === undefined || relation === undefined || !isKine(relation)) return []
    return [{ ...this.#current, row: rowOfTuple(op, relation, tuple) }]
  }

  #truncate(ids: readonly number[]): readonly TransactionChange[] {
    const current = this.#current
    const isOurs = ids.some((id) => isKine(this.#relations.get(id)))
    return current === undefined || !isOurs ? [] : [{ ...current, row: TRUNCATED }]
  }
}

function isKine(relation: Relation | undefined): boolean {
  return relation?.schema === 'public' && relation.name === 'kine'
}
