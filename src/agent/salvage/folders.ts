import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { messageOf, TwonodeError } from '../../core/errors.ts'
import { isObject, type JsonObject, parseJson } from '../../core/json.ts'
import {
  type Range,
  SALVAGE_FILES,
  SALVAGE_FORMAT,
  type SalvagedChange,
  type SalvagedObject,
  type SalvageManifest,
  VERIFIED_FILE,
} from '../../core/salvage.ts'
import { writeDurably } from '../meta_history.ts'

/** What was decided of a salvage, and by whom. */
export interface Settled {
  readonly kind: 'discarded' | 'replayed'
  readonly at: string
  readonly by: 'operator' | 'agent'
}

/** One branch that was saved, and what has become of it since. */
export interface Salvaged {
  /** `1_16402`: the branch, and its table's number. */
  readonly name: string
  readonly folder: string
  readonly manifest: SalvageManifest
  readonly settled: Settled | null
}

/** A folder that can't be used, and why. */
export interface Unusable {
  readonly name: string
  readonly why: string
}

const NAME = /^(\d+)_\d+$/

/** Lines of a list of objects: the writer's bound, with room. @unit bytes */
const MOST_LIST_BYTES = 64 * 1024 * 1024

/** All that is in the directory, oldest first. */
export async function readSalvages(
  directory: string,
  site: string,
): Promise<{ readonly salvages: readonly Salvaged[]; readonly unusable: readonly Unusable[] }> {
  const names = (await namesIn(directory)).filter((name) => NAME.test(name))
  const salvages: Salvaged[] = []
  const unusable: Unusable[] = []
  for (const name of names) {
    const read = await readOne(directory, name, site)
    if ('why' in read) unusable.push(read)
    else salvages.push(read)
  }
  const byTime = ({ manifest }: Salvaged) => manifest.at
  return { salvages: salvages.toSorted((a, b) => (byTime(a) < byTime(b) ? -1 : 1)), unusable }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch {
    return []
  }
}

async function readOne(
  directory: string,
  name: string,
  site: string,
): Promise<Salvaged | Unusable> {
  const folder = join(directory, name)
  const manifest = await jsonIn(join(folder, SALVAGE_FILES.manifest))
  if (!isManifest(manifest))
    return { name, why: 'its manifest is missing, torn or of another version' }
  if (manifest.site !== site)
    return { name, why: `it is of the site ${manifest.site}, and not of ${site}` }
  const settled = await jsonIn(join(folder, SALVAGE_FILES.settled))
  return {
    name,
    folder,
    manifest,
    settled: isSettled(settled) ? settled : null,
  }
}

async function jsonIn(path: string): Promise<unknown> {
  try {
    return parseJson(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}

function isManifest(value: unknown): value is SalvageManifest {
  if (!isObject(value) || value['format'] !== SALVAGE_FORMAT) return false
  const texts = ['site', 'host', 'at'].every((name) => typeof value[name] === 'string')
  return (
    texts &&
    typeof value['branch'] === 'number' &&
    isObject(value['counts']) &&
    isObject(value['files'])
  )
}

function isSettled(value: unknown): value is Settled {
  return isObject(value) && ['discarded', 'replayed'].includes(String(value['kind']))
}

/**
 * The salvage that a person names: by its folder's name, or by its branch where there is one of it.
 * @throws TwonodeError E_SALVAGE
 */
export async function findSalvage(
  { directory, site }: { readonly directory: string; readonly site: string },
  wanted: string,
): Promise<Salvaged> {
  const { salvages, unusable } = await readSalvages(directory, site)
  const bad = unusable.find(({ name }) => name === wanted || name.startsWith(`${wanted}_`))
  const found = salvages.filter(({ name }) => name === wanted || name.startsWith(`${wanted}_`))
  const [only, ...others] = found
  if (only !== undefined && others.length === 0) return only
  if (only !== undefined)
    throw new TwonodeError(
      'E_SALVAGE',
      `several salvages are of branch ${wanted}: ${found.map(({ name }) => name).join(', ')}`,
      { hint: 'Name one of them.' },
    )
  if (bad !== undefined)
    throw new TwonodeError('E_SALVAGE', `${bad.name} can not be used: ${bad.why}`)
  throw new TwonodeError('E_SALVAGE', `there is no salvage ${wanted} on this host`)
}

/** The objects that it lists. @throws TwonodeError E_SALVAGE for one that was settled, or is not whole */
export async function objectsOf(salvaged: Salvaged): Promise<readonly SalvagedObject[]> {
  mustBeKept(salvaged)
  const path = join(salvaged.folder, SALVAGE_FILES.objects)
  const { bytes, sha256 } = salvaged.manifest.files.objects
  const text = bytes > MOST_LIST_BYTES ? '' : await textOf(path)
  const found = createHash('sha256').update(text).digest('hex')
  if (Buffer.byteLength(text) !== bytes || found !== sha256) throw altered(salvaged, path)
  return text.split('\n').flatMap((line): readonly SalvagedObject[] => {
    const object = parseJson(line)
    return isObject(object) ? [object as unknown as SalvagedObject] : []
  })
}

function mustBeKept({ name, settled }: Salvaged): void {
  if (settled?.kind === 'discarded')
    throw new TwonodeError(
      'E_SALVAGE',
      `${name} was discarded at ${settled.at}: only its record is left`,
    )
}

function altered({ name }: Salvaged, path: string): TwonodeError {
  return new TwonodeError(
    'E_SALVAGE',
    `${path} is not as its manifest says: torn, or changed since`,
    {
      hint: `The rows themselves are in the schema twonode_branch_${name}, until that is dropped.`,
    },
  )
}

/**
 * Before anything of it is shown or replayed: its changes are those that were saved.
 * @throws TwonodeError E_SALVAGE
 */
export async function refuseAltered(salvaged: Salvaged): Promise<void> {
  mustBeKept(salvaged)
  const path = join(salvaged.folder, SALVAGE_FILES.changes)
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash).catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  if (hash.digest('hex') !== salvaged.manifest.files.changes.sha256) throw altered(salvaged, path)
}

function unreadable(path: string, cause: unknown): TwonodeError {
  return new TwonodeError('E_SALVAGE', `${path} can not be read: ${messageOf(cause)}`, { cause })
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** A change of a salvage, by where its line is; null: its values were left out. */
export async function changeAt(
  salvaged: Salvaged,
  range: Range | null,
): Promise<SalvagedChange | null> {
  if (range === null) return null
  const path = join(salvaged.folder, SALVAGE_FILES.changes)
  const { bytes: most } = salvaged.manifest.files.changes
  if (!(range.at >= 0 && range.length >= 0 && range.at + range.length <= most))
    throw altered(salvaged, path)
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause)
  })
  try {
    const bytes = Buffer.alloc(range.length)
    const { bytesRead } = await file.read(bytes, 0, range.length, range.at)
    const parsed = parseJson(bytes.subarray(0, bytesRead).toString('utf8'))
    if (!isObject(parsed))
      throw new TwonodeError('E_SALVAGE', `${path} is torn at byte ${range.at}`)
    return parsed as unknown as SalvagedChange
  } finally {
    await file.close()
  }
}

/** Of a discarded one its manifest stays, as a record. */
export async function settle(salvaged: Salvaged, settled: Settled): Promise<void> {
  const { folder } = salvaged
  await writeDurably(join(folder, SALVAGE_FILES.settled), textFor({ ...settled }))
  if (settled.kind === 'discarded')
    for (const name of [SALVAGE_FILES.changes, SALVAGE_FILES.objects])
      await rm(join(folder, name), { force: true })
}

/** kine's table of now. */
export interface TableNow {
  readonly oid: number
  /** It was found to be the leader's content. */
  readonly verified: boolean
}

export async function tableNow(directory: string, oid: number): Promise<TableNow> {
  const verified = await jsonIn(join(directory, VERIFIED_FILE))
  return { oid, verified: isObject(verified) && verified['table'] === oid }
}

export async function forget({ folder }: Salvaged): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

function textFor(data: JsonObject): string {
  return `${JSON.stringify(data)}\n`
}
