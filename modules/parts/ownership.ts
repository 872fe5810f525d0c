import type { Attributes } from '../../src/core/change.ts'
import { NotYet } from '../../src/core/errors.ts'
import type { FileStat, Observer } from '../../src/core/host.ts'
import { parentOf } from './paths.ts'

/** Who owns a file, and with what permission bits. */
export interface Ownership {
  readonly mode: number
  readonly owner: string
  readonly group: string
}

/** Schema of the owner and group arguments. */
export const OWNER_PROPERTIES = {
  owner: { type: 'string', default: 'root', description: 'User who owns it.' },
  group: { type: 'string', default: 'root', description: 'Group that owns it.' },
} as const

/** Schema of a file mode. It must be quoted: YAML reads 0644 as the number 644. */
export function modeSchema(description: string) {
  return {
    type: 'string',
    pattern: '^[0-7]{3,4}$',
    'x-octal': true,
    'x-form': "a quoted octal mode, such as '0644'",
    description,
  }
}

export function parseMode(text: string): number {
  return Number.parseInt(text, 8)
}

/** The change that gives a path its owner and mode, if it has others. */
export function attributeChanges(
  path: string,
  stat: Pick<FileStat, 'mode' | 'owner' | 'group'>,
  wanted: Ownership,
): Attributes[] {
  const differs = {
    ...(stat.mode === wanted.mode ? {} : { mode: wanted.mode }),
    // Both together: chown without a group would leave it to the system to choose.
    ...(stat.owner === wanted.owner && stat.group === wanted.group
      ? {}
      : { owner: wanted.owner, group: wanted.group }),
  }
  if (Object.keys(differs).length === 0) return []
  const mode = stat.mode.toString(8).padStart(4, '0')
  return [{ kind: 'attributes', path, ...differs, before: `${mode} ${stat.owner}:${stat.group}` }]
}

/** A user or group that an earlier task may still make. Root is always there. */
export async function requireOwners(
  host: Observer,
  { owner, group }: Pick<Ownership, 'owner' | 'group'>,
): Promise<void> {
  const [user, groupId] = await Promise.all([
    owner === 'root' ? 0 : host.batch.userId(owner),
    group === 'root' ? 0 : host.batch.groupId(group),
  ])
  if (user === undefined) throw new NotYet(`there is no user ${owner}`)
  if (groupId === undefined) throw new NotYet(`there is no group ${group}`)
}

/** The folder that an earlier task may still make. */
export async function requireParent(host: Observer, path: string): Promise<void> {
  const parent = parentOf(path)
  // A link to a directory is fine: /var/run and /lib are such.
  const stat = await host.stat(parent)
  if (stat === undefined) throw new NotYet(`there is no directory ${parent}`)
}
