import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileVersion } from './file_version.ts'

/** The accounts of this host, out of its own files: directory services are not asked. */
export interface Accounts {
  user(name: string): Promise<User | undefined>
  groupId(name: string): Promise<number | undefined>
  /** The name of a number, or the number as text when it has none. */
  userName(id: number): Promise<string>
  groupName(id: number): Promise<string>
}

export interface User {
  readonly name: string
  readonly id: number
  readonly groupId: number
  readonly home: string
}

interface Group {
  readonly name: string
  readonly id: number
}

/** Reads passwd and group below `directory`, again only when they have changed. */
export function readAccounts(directory = '/etc'): Accounts {
  const users = table(join(directory, 'passwd'), parseUser)
  const groups = table(join(directory, 'group'), parseGroup)
  return {
    user: async (name) => (await users()).byName.get(name),
    groupId: async (name) => (await groups()).byName.get(name)?.id,
    userName: async (id) => (await users()).byId.get(id)?.name ?? String(id),
    groupName: async (id) => (await groups()).byId.get(id)?.name ?? String(id),
  }
}

interface Table<Entry> {
  readonly version: string
  readonly byName: ReadonlyMap<string, Entry>
  readonly byId: ReadonlyMap<number, Entry>
}

function table<Entry extends Group>(
  path: string,
  parse: (line: string) => Entry | undefined,
): () => Promise<Table<Entry>> {
  let known: Table<Entry> | undefined
  return async () => {
    const version = await fileVersion(path)
    if (known?.version === version) return known
    const lines = (await readFile(path, 'utf8')).split('\n')
    // The first of two entries of one name or number wins, as in the C library.
    const entries = lines
      .map(parse)
      .filter((entry) => entry !== undefined)
      .toReversed()
    known = {
      version,
      byName: new Map(entries.map((entry) => [entry.name, entry])),
      byId: new Map(entries.map((entry) => [entry.id, entry])),
    }
    return known
  }
}

function parseUser(line: string): User | undefined {
  const [name, , id, groupId, , home] = line.split(':')
  if (name === undefined || name === '' || !isId(id) || !isId(groupId)) return undefined
  return { name, id: Number(id), groupId: Number(groupId), home: home ?? '/' }
}

function parseGroup(line: string): Group | undefined {
  const [name, , id] = line.split(':')
  return name === undefined || name === '' || !isId(id) ? undefined : { name, id: Number(id) }
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text)
}
