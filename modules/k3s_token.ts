import type { Change } from '../src/core/change.ts'
import { SITE_SECRET_FILES } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import { reveal, Secret, type Text } from '../src/core/secret.ts'
import { BOOTSTRAP, bootstrapKey, resealed, secretPart } from './parts/k3s_bootstrap.ts'
import { PATH_FORM } from './parts/paths.ts'
import { NAME_FORM, transaction } from './parts/postgres_sql.ts'

interface Args {
  readonly token: Text
  readonly database: string
  readonly state: 'any' | 'known' | 'held' | 'alone'
  readonly server_token: string
}

interface State {
  /** Where the datastore has what the token opens. */
  readonly key: string
  readonly keys: readonly string[]
  /** The text of the token file; undefined: there is none. */
  readonly text: string | undefined
  /** Its token. */
  readonly file: Secret | undefined
  readonly served: boolean
  /** For the key that is missing; undefined: it is there, or nobody asked, or this host opens none. */
  readonly sealed: Secret | undefined
}

interface Stored {
  readonly name: string
  readonly value: string
}

const FILE = SITE_SECRET_FILES['k3s-token'].key

/** The keys as kine reads them: the last row of each, unless it is a deletion. */
const LIVE = `
  select * from (
    select distinct on (name) * from public.kine
    where name >= '${BOOTSTRAP}' and name < '/bootstrap0' order by name, id desc) latest
  where deleted = 0`

/** As kine makes a key, upon the deletion of an older one if there was any. */
const CREATE = `
  insert into public.kine (name, created, deleted, create_revision, prev_revision, lease, value, old_value)
  select $1::text, 1, 0, 0, coalesce((select max(id) from public.kine where name = $1::text), 0), 0,
    convert_to($2::text, 'utf8'), null
  where not exists (select from (${LIVE}) live where name = $1::text)`

const DELETE_OTHERS = `
  insert into public.kine (name, created, deleted, create_revision, prev_revision, lease, value, old_value)
  select name, 0, 1, 0, id, 0, null, value from (${LIVE}) live where name <> $1::text`

export const k3sToken = defineModule<Args, State>({
  name: 'k3s_token',
  doc: {
    summary: "One step of a rotation of k3s' token: what k3s' servers share opens with it.",
    notes: [
      'k3s keeps the keys of its authorities in the datastore, sealed with its token, below a key that the token names, and a server whose token opens none of them does not start. It may open any of several: so a token is `known` before it is `held`, and the old one opens as well until the new one stands `alone`.',
      '`known` adds a key, sealed anew with the token, and takes nothing away. `held` writes the token file, once the datastore of this host knows the token. `alone` takes the other keys away, once this host holds it. Which host does what, and when: `twonode rotate token`.',
      'It registers `known`, `held`, `served` (k3s has started with it) and `others` (further keys). Nothing of a token is ever shown.',
    ].join('\n\n'),
    source: 'https://docs.k3s.io/cli/token#k3s-token-rotate',
    examples: [
      {
        title: 'The datastore opens with a new token as well',
        args: { database: 'kine', token: 'from-a-secret', state: 'known' },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['database', 'token'],
    properties: {
      database: { ...NAME_FORM, description: "Database of kine's table." },
      token: {
        type: 'string',
        pattern: '^[A-Za-z0-9_*-]{6,256}$',
        'x-form': 'a token of letters, digits, _ and -',
        'x-takes-secret': true,
        description: 'The token, without the hash that k3s puts in front of its own.',
      },
      state: {
        type: 'string',
        enum: ['any', 'known', 'held', 'alone'],
        default: 'any',
        description: 'How far it is to be; `any` only looks.',
      },
      server_token: {
        ...PATH_FORM,
        default: '/var/lib/rancher/k3s/server/token',
        description: 'Where k3s writes the token that it has started with.',
      },
    },
  },

  key: ({ database }) => [`k3s_token:${database}`],

  async observe(host, { database, token, state, server_token: serverToken }) {
    const [stored, held, served, key] = await Promise.all([
      host.sql<Stored>(
        database,
        `select name, convert_from(value, 'utf8') as value from (${LIVE}) live`,
      ),
      host.readFile(FILE),
      host.readFile(serverToken),
      bootstrapKey(token),
    ])
    const file = held === undefined ? undefined : new Secret(secretPart(held), 'k3s-token')
    const keys = stored.map(({ name }) => name)
    const wants = state === 'known' && !keys.includes(key)
    return {
      key,
      keys,
      text: held,
      file,
      served: served !== undefined && secretPart(served) === reveal(token),
      sealed: wants ? await sealedAnew(stored, file, token) : undefined,
    }
  },

  refuse({ key, keys, file, sealed }, { state, token }) {
    const isKnown = keys.includes(key)
    if (state === 'known' && !isKnown && sealed === undefined)
      return `the token in ${FILE} opens nothing that k3s has in the datastore: this is no token of its servers, or none has started yet`
    if (state === 'held' && !isKnown)
      return `the datastore of this host does not know the token yet: k3s would not start with it`
    if (state === 'alone' && (!isKnown || !holds(file, token)))
      return `this host does not hold the token yet: k3s would not start when it stands alone`
    return undefined
  },

  diff({ key, keys, text, file, sealed }, { state, token, database }): readonly Change[] {
    switch (state) {
      case 'any':
        return []
      case 'known':
        if (sealed === undefined) return []
        return [transaction(database, [{ text: CREATE, values: [hidden(key), sealed] }])]
      case 'held':
        return holds(file, token) ? [] : [write(token, text)]
      case 'alone':
        if (keys.every((one) => one === key)) return []
        return [transaction(database, [{ text: DELETE_OTHERS, values: [hidden(key)] }])]
      default:
        throw new Error(`unhandled state: ${String(state satisfies never)}`)
    }
  },

  result: ({ key, keys, file, served }, { token }) => ({
    known: keys.includes(key),
    held: holds(file, token),
    served,
    others: keys.filter((one) => one !== key).length,
  }),
})

async function sealedAnew(
  stored: readonly Stored[],
  file: Secret | undefined,
  token: Text,
): Promise<Secret | undefined> {
  if (file === undefined) return undefined
  const own = await bootstrapKey(file)
  const found = stored.find(({ name, value }) => name === own && value !== '')
  return found === undefined ? undefined : await resealed(found.value, file, token)
}

function write(token: Text, before: string | undefined): Change {
  return {
    kind: 'write',
    path: FILE,
    content: new Secret(`${reveal(token)}\n`, 'k3s-token'),
    mode: 0o600,
    owner: 'root',
    group: 'root',
    before,
    secret: true,
  }
}

function holds(file: Secret | undefined, token: Text): boolean {
  return file !== undefined && reveal(file) === reveal(token)
}

/** It is part of a hash of the token. */
function hidden(key: string): Secret {
  return new Secret(key, 'k3s-token')
}
