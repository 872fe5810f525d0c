import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import type { Text } from '../src/core/secret.ts'
import { identifier, literal } from '../src/core/sql.ts'
import { MAINTENANCE_DATABASE, NAME_FORM, sql, transaction } from './parts/postgres_sql.ts'

interface Args {
  readonly name: string
  readonly state: 'present' | 'absent'
  readonly login: boolean
  readonly replication: boolean
  readonly superuser: boolean
  readonly create_database: boolean
  readonly create_role: boolean
  readonly password?: Text
  readonly member_of?: readonly string[]
}

interface Role {
  readonly kind: 'present'
  readonly login: boolean
  readonly replication: boolean
  readonly superuser: boolean
  readonly create_database: boolean
  readonly create_role: boolean
  readonly hasPassword: boolean
  readonly memberOf: readonly string[]
}

type State = { readonly kind: 'missing' } | Role

/** Our arguments and PostgreSQL's words for them. */
const ATTRIBUTES = {
  login: 'login',
  replication: 'replication',
  superuser: 'superuser',
  create_database: 'createdb',
  create_role: 'createrole',
} as const

const attributeNames = Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]

const flag = (description: string, fallback = false) => ({
  type: 'boolean',
  default: fallback,
  description,
})

export const postgresRole = defineModule<Args, State>({
  name: 'postgres_role',
  doc: {
    summary: 'A role of PostgreSQL with its attributes and memberships.',
    notes:
      'Attributes are exact: one that is not given is taken away. `member_of` is exact when it is ' +
      'given; without it memberships are left alone. A password is set when the role has none: ' +
      'PostgreSQL keeps a SCRAM verifier, which can not be compared with it. To change one, remove it ' +
      'first (`ALTER ROLE name PASSWORD NULL`). Certificates need no password.',
    source: 'https://www.postgresql.org/docs/15/sql-createrole.html',
    examples: [
      { title: 'A role that logs in', args: { name: 'kine' } },
      {
        title: 'A role for replication',
        args: { name: 'twonode_replication', replication: true, member_of: ['pg_read_all_data'] },
      },
      { title: 'No such role', args: { name: 'old', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: { ...NAME_FORM, description: 'Name of the role.' },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether it exists. A role that owns something can not be removed.',
      },
      login: flag('May log in.', true),
      replication: flag('May start replication connections.'),
      superuser: flag('Passes every check.'),
      create_database: flag('May create databases.'),
      create_role: flag('May create roles.'),
      password: {
        type: 'string',
        'x-secret': true,
        description: 'Set when the role has none. Stored as a SCRAM verifier.',
      },
      member_of: {
        type: 'array',
        items: NAME_FORM,
        uniqueItems: true,
        description: 'The roles whose rights it has, all of them.',
      },
    },
  },

  key: ({ name }) => [`postgres_role:${name}`],

  async observe(host, { name }) {
    const text = `
      select rolcanlogin as login, rolreplication as replication, rolsuper as superuser,
        rolcreatedb as create_database, rolcreaterole as create_role,
        rolpassword is not null as "hasPassword",
        array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
              where m.member = r.oid order by 1) as "memberOf"
      from pg_authid r where rolname = $1`
    const [role] = await host.sql<Omit<Role, 'kind'>>(MAINTENANCE_DATABASE, text, [name])
    return role === undefined ? { kind: 'missing' } : { kind: 'present', ...role }
  },

  diff(state, args) {
    const name = identifier(args.name)
    if (args.state === 'absent')
      return state.kind === 'missing' ? [] : [sql(MAINTENANCE_DATABASE, `drop role ${name}`)]
    return [
      ...attributeChanges(state, args),
      ...membershipChanges(state.kind === 'missing' ? [] : state.memberOf, args),
      ...passwordChanges(state, args),
    ]
  },

  result: (state) =>
    state.kind === 'missing'
      ? { exists: false }
      : { exists: true, member_of: [...state.memberOf], has_password: state.hasPassword },
})

function attributeChanges(state: State, args: Args): readonly Change[] {
  const word = (attribute: keyof typeof ATTRIBUTES) =>
    `${args[attribute] ? '' : 'no'}${ATTRIBUTES[attribute]}`
  const name = identifier(args.name)
  if (state.kind === 'missing') {
    const words = attributeNames.map(word).join(' ')
    return [sql(MAINTENANCE_DATABASE, `create role ${name} ${words}`)]
  }
  const differing = attributeNames.filter((attribute) => state[attribute] !== args[attribute])
  if (differing.length === 0) return []
  return [sql(MAINTENANCE_DATABASE, `alter role ${name} ${differing.map(word).join(' ')}`)]
}

function membershipChanges(held: readonly string[], { name, member_of }: Args): readonly Change[] {
  if (member_of === undefined) return []
  const member = identifier(name)
  const gained = member_of.filter((group) => !held.includes(group))
  const lost = held.filter((group) => !member_of.includes(group))
  return [
    ...gained.map((group) => `grant ${identifier(group)} to ${member}`),
    ...lost.map((group) => `revoke ${identifier(group)} from ${member}`),
  ].map((text) => sql(MAINTENANCE_DATABASE, text))
}

/**
 * ALTER ROLE takes no parameter, and a secret may reach PostgreSQL as nothing else: it travels as the
 * parameter of a setting that lives as long as the transaction, and is quoted by the server.
 */
function passwordChanges(state: State, { name, password }: Args): readonly Change[] {
  if (password === undefined || (state.kind === 'present' && state.hasPassword)) return []
  return [
    transaction(MAINTENANCE_DATABASE, [
      { text: "select set_config('twonode.password', $1, true)", values: [password] },
      `do $$ begin execute format('alter role %I password %L', ${literal(name)}, ` +
        `current_setting('twonode.password')); end $$`,
    ]),
  ]
}
