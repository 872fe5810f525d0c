import type { Change } from '../src/core/change.ts'
import { NotYet, TwonodeError } from '../src/core/errors.ts'
import { isObject } from '../src/core/json.ts'
import { defineModule } from '../src/core/module.ts'

interface Args {
  readonly address: string
  readonly prefix: number
  readonly interface: string
  readonly state: 'present' | 'absent'
}

interface Place {
  readonly interface: string
  readonly prefix: number
}

interface State {
  /** Where the address is now: one entry, unless something else adds it too. */
  readonly places: readonly Place[]
}

const TIMEOUT_MS = 15_000

export const virtualIp = defineModule<Args, State>({
  name: 'virtual_ip',
  doc: {
    summary: 'An address beside those that an interface has of its own, until the next boot.',
    notes: [
      'It is never put into network configuration: after a boot the role decides first who has it.',
      'Gratuitous ARP (`arping`, package iputils-arping) tells the neighbours where it is now.',
    ].join('\n\n'),
    source: 'https://man7.org/linux/man-pages/man8/ip-address.8.html',
    examples: [
      {
        title: 'On the leader',
        args: { address: '10.77.0.10', prefix: 24, interface: 'eth0', state: 'present' },
      },
      {
        title: 'Not on the follower',
        args: { address: '10.77.0.10', prefix: 24, interface: 'eth0', state: 'absent' },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['address', 'prefix', 'interface'],
    properties: {
      address: {
        type: 'string',
        pattern: '^([0-9]{1,3}\\.){3}[0-9]{1,3}$',
        'x-form': 'an IPv4 address',
        description: 'The address.',
      },
      prefix: { type: 'integer', minimum: 1, maximum: 32, description: 'Bits of its network.' },
      interface: {
        type: 'string',
        pattern: '^[A-Za-z0-9_.:-]{1,15}$',
        'x-form': 'the name of an interface',
        description: 'Interface that carries it.',
      },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether this host has the address.',
      },
    },
  },

  key: ({ address }) => [`address:${address}`],

  async observe(host, { address, interface: wanted, state }) {
    const { code, stdout, stderr } = await host.exec(['ip', '-json', 'address', 'show'])
    if (code !== 0)
      throw new TwonodeError('E_COMMAND_FAILED', 'ip can not list the addresses', {
        detail: stderr,
      })
    const interfaces = parseInterfaces(stdout)
    if (state === 'present' && !interfaces.some(({ name }) => name === wanted))
      throw new NotYet(`there is no interface ${wanted}`)
    const places = interfaces.flatMap(({ name, addresses }) =>
      addresses
        .filter(({ local }) => local === address)
        .map(({ prefix }) => ({ interface: name, prefix })),
    )
    return { places }
  },

  diff({ places }, { address, prefix, interface: wanted, state }): readonly Change[] {
    const isRight = (place: Place) =>
      state === 'present' && place.interface === wanted && place.prefix === prefix
    const removals = places
      .filter((place) => !isRight(place))
      .map((place) =>
        run('ip', 'address', 'del', `${address}/${place.prefix}`, 'dev', place.interface),
      )
    if (state === 'absent' || places.some(isRight)) return removals
    return [
      ...removals,
      run('ip', 'address', 'add', `${address}/${prefix}`, 'dev', wanted),
      // It sends one a second, and waits after the last: nobody waits for it here.
      { ...run('arping', ...ARPING, wanted, address), background: true },
    ]
  },

  result: ({ places }) => ({ present: places.length > 0 }),
})

function run(...argv: string[]) {
  return { kind: 'exec', argv, timeoutMs: TIMEOUT_MS } as const
}

/** Neighbours learn at once, and once more for those that missed it. */
const ARPING = ['-q', '-U', '-c', '3', '-w', '5', '-I']

interface Interface {
  readonly name: string
  readonly addresses: readonly { readonly local: string; readonly prefix: number }[]
}

/** What `ip -json address show` prints, as far as it concerns us. */
function parseInterfaces(stdout: string): readonly Interface[] {
  const parsed: unknown = JSON.parse(stdout.trim() === '' ? '[]' : stdout)
  if (!Array.isArray(parsed)) return []
  return parsed.filter(isObject).map((entry) => ({
    name: String(entry['ifname']),
    addresses: (Array.isArray(entry['addr_info']) ? entry['addr_info'] : [])
      .filter(isObject)
      .map((info) => ({ local: String(info['local']), prefix: Number(info['prefixlen']) })),
  }))
}
