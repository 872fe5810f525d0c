import type { JsonObject } from '../core/json.ts'
import type { Schema } from '../core/module.ts'
import { ALLOWED_CHANGES, BREAK_GLASS_LABEL, LABEL_KEY } from '../core/restriction.ts'
import { HOST_NAME } from '../core/site.ts'
import { bundle } from './inventory_bundle.ts'
import { FENCING_SCHEMA } from './fencing_schema.ts'
import {
  LIVENESS_RANGE,
  RECONCILE_RANGE,
  SCRIPT_INTERVAL_RANGE,
  SCRIPT_TIMEOUT_RANGE,
} from './inventory_ranges.ts'
import {
  binary,
  duration,
  images,
  K3S_RELEASE,
  KINE_RELEASE,
  network,
  object,
  port,
} from './inventory_forms.ts'
import { replication, salvage } from './inventory_replication.ts'
import { WITNESS_SCHEMA } from './witness_schema.ts'

/**
 * The inventory's shape. `docs/inventory.md` is printed from it, so every key has a description.
 * Beyond JSON Schema: `x-unit: duration | size` (text with a unit), `x-range` (of a duration) and
 * `x-secret: true`.
 */

const NAME_HINT = 'Lower-case letters, digits and dashes, at most 63, as in a host name.'

/** Variables are free-form data. */
const vars: Schema = {
  type: 'object',
  description: 'Variables: `{{vars.NAME}}` in playbooks. Values may be `!secret`.',
}

const ssh = object('How to reach the host by SSH. `~/.ssh/config` fills in what is not given.', {
  user: { type: 'string', minLength: 1, description: 'Login name. Not root: sudo is used.' },
  port: { type: 'integer', minimum: 1, maximum: 65_535, description: 'Port of sshd.' },
  identityFile: {
    type: 'string',
    minLength: 1,
    description: 'Private key; relative to the inventory, or starting with `~/`.',
  },
  identityAgent: { type: 'string', description: 'Socket of ssh-agent, or `none`.' },
  proxyJump: { type: 'string', description: 'Hosts to go through: `user@host:port`, by commas.' },
  hostKeys: {
    type: 'array',
    items: {
      type: 'string',
      pattern: '^(ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/=]+',
      'x-pattern-hint': 'Write the type and the key, as in known_hosts: "ssh-ed25519 AAAA…".',
    },
    description: 'Pinned host keys: only these are accepted, whatever known_hosts says.',
  },
  knownHosts: {
    type: 'string',
    minLength: 1,
    description: 'File of known host keys, in place of those of the ssh configuration.',
  },
  sudoPassword: {
    type: 'string',
    'x-secret': true,
    description: 'Password for sudo. Sent on standard input, never as an argument.',
  },
  connectTimeout: duration('Bound of connecting and logging in.', '10s'),
})

const POSTGRES_VERSION = { type: 'integer', minimum: 15, maximum: 18 } as const

const host = object(
  'One of the two hosts of a site.',
  {
    name: {
      type: 'string',
      pattern: HOST_NAME,
      'x-pattern-hint': NAME_HINT,
      description: 'Unique in the inventory.',
    },
    address: {
      type: 'string',
      description: 'IP address on which the two hosts reach each other, and SSH reaches them.',
    },
    ssh,
    runtime: {
      type: 'string',
      enum: ['bundled', 'system'],
      default: 'bundled',
      description: '`bundled` brings its own Node.js; `system` uses that of the host, 22 or newer.',
    },
    postgres: object(
      'PostgreSQL of this host alone, while the major version is changed.',
      {
        version: {
          ...POSTGRES_VERSION,
          description:
            "Major version, in place of the site's. A converge never changes the one that serves: `twonode upgrade --postgres-major` does.",
        },
      },
      ['version'],
    ),
    vars,
  },
  ['name', 'address'],
)

const liveness = object('How a dead peer is told from a slow one.', {
  interval: duration('Time between two rounds of probes.', '1s', LIVENESS_RANGE),
  failures: {
    type: 'integer',
    minimum: 2,
    maximum: 20,
    default: 4,
    description:
      'Rounds failed in a row until the peer is gone: promote time = failures × interval, fence time = (failures − 1) × interval.',
  },
  port: port(8622, "TCP port of the agents' API, on the host's address."),
  script: {
    type: 'string',
    pattern: '^/[^\\s]+$',
    'x-pattern-hint': 'An absolute path on the host, without arguments.',
    description: 'A further probe, an executable on the host: exit 0 means alive.',
  },
  scriptInterval: duration('Time between two runs of the script.', '10s', SCRIPT_INTERVAL_RANGE),
  scriptTimeout: duration(
    'Bound of one run; then the script and all that it started are killed.',
    '5s',
    SCRIPT_TIMEOUT_RANGE,
  ),
})

const reconcile = object('The full converge that each host makes by itself.', {
  interval: duration('Time between two of them.', '5m', RECONCILE_RANGE),
})

const postgres = object('PostgreSQL under kine.', {
  version: {
    ...POSTGRES_VERSION,
    default: 15,
    description:
      'Major version. On hosts that have another one `twonode upgrade --postgres-major` brings it, and no converge.',
  },
  port: port(5432, "Port, on the host's address."),
  database: {
    type: 'string',
    pattern: '^[a-z_][a-z0-9_]{0,62}$',
    default: 'kine',
    description: 'Database of kine.',
  },
  dataDirectory: {
    type: 'string',
    pattern: '^/.+',
    'x-pattern-hint': 'An absolute path.',
    description: 'Default: where Debian puts the cluster, `/var/lib/postgresql/VERSION/main`.',
  },
  settings: {
    type: 'object',
    additionalProperties: { type: 'string' },
    default: {},
    description: 'Further settings of postgresql.conf, as text: `shared_buffers: "256MB"`.',
  },
})

const kine: Schema = object('kine, between k3s and PostgreSQL.', {
  ...binary(KINE_RELEASE, 'kine'),
  port: port(2379, 'Port on loopback.'),
})

const k3s: Schema = object('Kubernetes.', {
  ...binary(K3S_RELEASE, 'k3s'),
  images,
  clusterCidr: network('10.42.0.0/16', 'Network of the pods.'),
  serviceCidr: network('10.43.0.0/16', 'Network of the services.'),
  config: {
    type: 'object',
    default: {},
    description: "Further keys of k3s' config file, the same on both hosts.",
  },
})

const restricted = object(
  'While the site has no redundancy only these changes to Kubernetes are let through. Default: any.',
  {
    enabled: {
      type: 'boolean',
      default: true,
      description: 'false takes away what an earlier converge has made of it.',
    },
    allow: { ...ALLOWED_CHANGES, default: [] },
    breakGlassLabel: {
      ...LABEL_KEY,
      default: BREAK_GLASS_LABEL,
      'x-pattern-hint': 'Write the key of a label: "example.com/break-glass".',
      description: 'Whatever has this label, with the value "true", may be changed all the same.',
    },
  },
)

/** Every key of a site; each may stand under `defaults` too. */
const SITE_PROPERTIES: Readonly<Record<string, Schema>> = {
  hosts: { type: 'array', items: host, description: 'The two hosts of the site.' },
  initialLeader: {
    type: 'string',
    description: 'Leads when neither host has a hostMeta yet. Default: the first host.',
  },
  controlPlaneEndpoint: {
    type: 'string',
    description:
      "ADDRESS:PORT of the Kubernetes API. Default: the virtual IP, or the first leader's address, and 6443.",
  },
  virtualIp: object(
    'Address that moves with the leader.',
    {
      address: { type: 'string', description: "In the subnet of the hosts, and neither's." },
      prefix: {
        type: 'integer',
        minimum: 1,
        maximum: 128,
        default: 24,
        description: "Length of the subnet's prefix.",
      },
      interface: { type: 'string', minLength: 1, description: 'Network interface, as `eth0`.' },
    },
    ['address', 'interface'],
  ),
  gateways: {
    type: 'array',
    items: { type: 'string' },
    default: [],
    description: 'Addresses that tell "I am cut off" from "my peer is gone".',
  },
  gateway: { type: 'string', description: 'One gateway: short for `gateways` with one entry.' },
  partition: {
    type: 'string',
    enum: ['availability', 'consistency'],
    default: 'availability',
    description: 'What a cut between the hosts costs: possibly a salvage, or a stand-still.',
  },
  witness: WITNESS_SCHEMA,
  fencing: FENCING_SCHEMA,
  liveness,
  reconcile,
  replication,
  salvage,
  postgres,
  kine,
  k3s,
  restricted,
  bundle,
  stateDirectory: {
    type: 'string',
    pattern: '^/[^ ]+[^/ ]$',
    'x-pattern-hint': 'An absolute path without a slash at its end.',
    default: '/var/lib/twonode',
    description: 'Folder of hostMeta, sentinels and journal on the hosts.',
  },
  vars,
}

const name: Schema = {
  type: 'string',
  pattern: HOST_NAME,
  'x-pattern-hint': NAME_HINT,
  description: 'Name of the site.',
}

/** A site whose settings are merged from `defaults` and its own. */
export const SITE_SCHEMA: Schema = object('One pair of hosts.', SITE_PROPERTIES, ['hosts'])

/** The inventory of one site: its keys stand at the top level. */
export const ONE_SITE_SCHEMA: Schema = object(
  'An inventory of one site.',
  { name, ...SITE_PROPERTIES },
  ['name', 'hosts'],
)

/** Names of sites in a `sites` map follow the same form. */
export const SITE_NAME_PATTERN = HOST_NAME

/** The inventory of several sites: the two keys at its top level. */
export const MANY_SITES_SCHEMA: Schema = object(
  'An inventory of several sites.',
  {
    sites: { type: 'object', description: 'Sites by name.' },
    defaults: {
      type: 'object',
      description: 'Settings for every site; any key of a site but hosts.',
    },
  },
  ['sites'],
)

/** Every key that an inventory may have, in either form: what `docs/inventory.md` is printed from. */
export const INVENTORY_SCHEMA: Schema = object('An inventory: one site, or several.', {
  ...(ONE_SITE_SCHEMA['properties'] as JsonObject),
  ...(MANY_SITES_SCHEMA['properties'] as JsonObject),
})
