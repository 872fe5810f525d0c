import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import { BranchTransactions } from '../../src/salvage/branch_transactions.ts'
import { lsnOf, parseMessage } from '../../src/salvage/pgoutput.ts'
import {
  begin,
  commit,
  deleted,
  inserted,
  relation,
  truncated,
  updated,
} from './pgoutput_messages.ts'

const COLUMNS = ['id', 'name', 'created', 'deleted', 'value', 'old_value']
const KINE = relation(16_400, 'public', 'kine', COLUMNS)

/** Ids of the changes of kine's table that a stream shows beyond a position. */
function idsBeyond(lsn: string, stream: readonly Buffer[]): readonly number[] {
  const reader = new BranchTransactions(lsn)
  return stream.flatMap((message) => reader.take(message).map(({ row }) => row.id))
}

function thrownBy(act: () => unknown): unknown {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}

describe('what a slot shows', () => {
  test('is read by transactions: only those that ended beyond the fork count (A1)', () => {
    const stream = [
      begin('0/100', 1),
      KINE,
      inserted(16_400, ['1', '/a', '1', '0', null, null]),
      commit('0/100', '0/130'),
      begin('0/130', 2),
      inserted(16_400, ['2', '/b', '1', '0', null, null]),
      commit('0/130', '0/160'),
      begin('0/200', 3),
      inserted(16_400, ['4', '/c', '1', '0', null, null]),
      commit('0/200', '0/230'),
    ]
    expect(idsBeyond('0/0', stream)).toEqual([1, 2, 4])
    expect(idsBeyond('0/130', stream)).toEqual([2, 4])
    expect(idsBeyond('0/160', stream)).toEqual([4])
    expect(idsBeyond('0/230', stream)).toEqual([])
  })

  test('says when its transactions were committed, and how many there were', () => {
    const reader = new BranchTransactions('0/110')
    const messages = [
      begin('0/100', 1, '2026-11-22T10:00:00.000Z'),
      commit('0/100', '0/110'),
      begin('0/120', 2, '2026-11-22T10:00:01.000Z'),
      commit('0/120', '0/130'),
      begin('0/130', 3, '2026-11-22T10:00:02.500Z'),
      commit('0/130', '0/140'),
    ]
    for (const message of messages) reader.take(message)
    expect(reader).toMatchObject({
      transactions: 2,
      from: '2026-11-22T10:00:01.000Z',
      until: '2026-11-22T10:00:02.500Z',
    })
  })

  test('gives rows with their bytes, whatever else a value is', () => {
    const reader = new BranchTransactions('0/0')
    const row = ['7', '/x', '0', '1', '\\x6b3873', undefined]
    reader.take(KINE)
    reader.take(begin('0/1', 5))
    expect(reader.take(updated(16_400, row))).toMatchObject([
      {
        xid: 5,
        row: { op: 'update', id: 7, deleted: true, value: Buffer.from('k8s'), oldValue: null },
      },
    ])
    expect(reader.take(deleted(16_400, ['7', null, null, null, null, null]))).toMatchObject([
      { row: { op: 'delete', id: 7, name: null } },
    ])
    expect(reader.take(truncated([16_400]))).toMatchObject([{ row: { op: 'truncate' } }])
  })

  test('leaves out the tables that are not kine in public', () => {
    const stream = [
      relation(1, 'twonode_branch_1_5', 'kine', COLUMNS),
      relation(2, 'public', 'x', ['id']),
      begin('0/1', 1),
      inserted(1, ['1', '/a', '1', '0', null, null]),
      inserted(2, ['2']),
      truncated([1, 2]),
      commit('0/1', '0/2'),
    ]
    expect(idsBeyond('0/0', stream)).toEqual([])
  })

  test('a message that is torn anywhere is refused, and never read as another one', () => {
    const whole = inserted(16_400, ['7', '/x', '0', '1', '\\x00', null])
    for (let length = 0; length < whole.length; length += 1)
      expect(() => parseMessage(whole.subarray(0, length))).toThrow(TwonodeError)
    expect(() => parseMessage(Buffer.concat([whole, Buffer.from([0])]))).toThrow('longer than')
  })

  test('bytes of no meaning are refused within their own length', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('B', 'C', 'R', 'I', 'U', 'D', 'T', 'O', 'Y', 'M', 'x'),
        fc.uint8Array({ maxLength: 200 }),
        (letter, bytes) => {
          const error = thrownBy(() => parseMessage(Buffer.concat([Buffer.from(letter), bytes])))
          expect(error === undefined || error instanceof TwonodeError).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })
})

test('a position has two halves of 32 bits', () => {
  expect(lsnOf('0/16B3748')).toBe(0x16b3748n)
  expect(lsnOf('2/0')).toBe(0x2_0000_0000n)
  expect(lsnOf('FF/FFFFFFFF')).toBe(0xff_ffff_ffffn)
})
