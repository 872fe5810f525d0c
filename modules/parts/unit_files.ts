import type { Change, Write } from '../../src/core/change.ts'
import { reveal, Secret, type Text } from '../../src/core/secret.ts'
import { makeDirectory } from './folders.ts'
import { attributeChanges, type Ownership } from './ownership.ts'
import type { ObservedFile, UnitArgs, UnitObservation } from '../systemd_unit.ts'

const FOLDER = '/etc/systemd/system'

/** Where a unit's own file stands. */
export const unitPath = (name: string): string => `${FOLDER}/${name}`

/** Where its drop-ins stand. */
export const unitFolder = (name: string): string => `${FOLDER}/${name}.d`

export const dropInPath = (name: string, dropIn: string): string => `${unitFolder(name)}/${dropIn}`

/** Changes of the unit's file and drop-ins. */
export function unitFileChanges(observed: UnitObservation, args: UnitArgs): readonly Change[] {
  const { name, content, drop_ins } = args
  const unit =
    content === undefined
      ? []
      : fileChanges(unitPath(name), content, observed.file, { verify: true })
  const dropIns = Object.entries(drop_ins).flatMap(([one, text]) =>
    fileChanges(dropInPath(name, one), text, observed.dropIns[one] ?? NO_FILE, { verify: false }),
  )
  const folder =
    dropIns.length === 0 || observed.hasFolder
      ? []
      : [makeDirectory(unitFolder(name), { mode: 0o755, owner: 'root', group: 'root' })]
  return [...unit, ...folder, ...dropIns]
}

const NO_FILE: ObservedFile = { stat: undefined, content: undefined }

function fileChanges(
  path: string,
  content: Text,
  { stat, content: before }: ObservedFile,
  { verify }: { readonly verify: boolean },
): readonly Change[] {
  const secret = content instanceof Secret
  const wanted: Ownership = { mode: secret ? 0o600 : 0o644, owner: 'root', group: 'root' }
  if (stat !== undefined && before === reveal(content)) return attributeChanges(path, stat, wanted)
  const write: Write = {
    kind: 'write',
    path,
    content,
    ...wanted,
    before,
    ...(stat === undefined ? {} : { beforeMode: stat.mode }),
    ...(verify ? { validate: { kind: 'unit' } } : {}),
    ...(secret ? { secret: true } : {}),
  }
  // `systemctl unmask` has removed the mask; any other link is someone's own and gives way.
  const isForeignLink = stat?.kind === 'link' && stat.target !== '/dev/null'
  return isForeignLink ? [{ kind: 'remove', path, recursive: false }, write] : [write]
}
