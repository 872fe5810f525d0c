import { object } from './inventory_forms.ts'

export const replication = object('Bounds of logical replication.', {
  acceptLoss: {
    type: 'string',
    'x-unit': 'size',
    default: '0B',
    description: 'Lag that a promotion may lose under `partition: availability`.',
  },
  maxSlotWalKeepSize: {
    type: 'string',
    'x-unit': 'size',
    default: '4GB',
    description: 'WAL that a dead follower may keep on the leader before its slot is given up.',
  },
})

export const salvage = object('What is kept of a branch that lost, on the host that had led it.', {
  keep: {
    type: 'integer',
    minimum: 1,
    maximum: 20,
    default: 3,
    description:
      "Old tables that stay in PostgreSQL after the leader's copy was verified; one whose changes wait for an operator stays in any case.",
  },
  maxSize: {
    type: 'string',
    'x-unit': 'size',
    default: '1GB',
    description:
      'Bound of the values saved of one branch; beyond it they are in the old table only.',
  },
})
