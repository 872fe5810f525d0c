import type { JsonObject } from '../core/json.ts'
import type { Schema } from '../core/module.ts'
import { duration, object } from './inventory_forms.ts'
import { FENCING_DELAY_RANGE, FENCING_TIMEOUT_RANGE } from './inventory_ranges.ts'

const command = (description: string): JsonObject => ({
  type: 'array',
  minItems: 1,
  items: { type: 'string', minLength: 1 },
  description,
})

/** What `ipmitool` prints, and a program that says no more than `off`. */
const SAYS_OFF = '^(chassis power is )?off$'

/** `fencing` of an inventory. */
export const FENCING_SCHEMA: Schema = object(
  'Power-off of the other host, and its confirmation, for `partition: consistency`: in place of a witness.',
  {
    off: command(
      'Run on the other host, by its absolute path and with arguments, to power a host off at once. `{{ host.name }}`, `{{ host.address }}` and `{{ host.vars.NAME }}` are those of the host that is to be off.',
    ),
    status: command('Asks whether it is off; it has to end with 0.'),
    says: {
      type: 'string',
      minLength: 1,
      default: SAYS_OFF,
      description:
        'Regular expression, upper and lower case alike: what `status` prints of a host that is off. Any other answer is no proof.',
    },
    input: {
      type: 'string',
      'x-secret': true,
      description: 'What both commands get on their standard input: a password, never an argument.',
    },
    timeout: duration(
      'Bound of one command; a power-off and its confirmation together have twice as long.',
      '10s',
      FENCING_TIMEOUT_RANGE,
    ),
    followerDelay: duration(
      'How much longer a follower waits than its leader, or both would be powered off after a cut.',
      '3s',
      FENCING_DELAY_RANGE,
    ),
  },
  ['off', 'status'],
)
