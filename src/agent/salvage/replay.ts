import { TwonodeError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Difference } from '../../salvage/object_words.ts'
import { applied, pathText } from '../../salvage/wishes.ts'
import { type Kubectl, documentsOf, stubOf } from './cluster.ts'

/** Who the API server calls the owner of the fields that were replayed. */
const FIELD_MANAGER = 'twonode-salvage'

/** Other objects live in what these make: they come first. */
const FIRST: ReadonlySet<string> = new Set(['Namespace', 'CustomResourceDefinition'])

/** What is to be done of a salvage. */
export interface ReplayPlan {
  readonly applies: readonly Difference[]
  readonly deletes: readonly Difference[]
  /** What can't be replayed, and why. */
  readonly left: readonly string[]
}

/**
 * What of the differences is chosen: by names as `diff` shows them, or all that somebody wanted.
 * A deletion is somebody's loss if it is wrong: only one that is named is done.
 * @throws TwonodeError E_USAGE for a name that is not among them
 */
export function replayPlan(
  differences: readonly Difference[],
  names: readonly string[] | 'all',
): ReplayPlan {
  const chosen =
    names === 'all' ? differences.filter(isMeant) : names.map((name) => named(differences, name))
  const left = chosen.flatMap((one): readonly string[] => {
    if (one.kind === 'unreadable') return one.words
    return one.wishes
      .filter(({ after }) => after === undefined)
      .map(
        ({ path }) => `${one.name}: ${pathText(path)} was removed there, which can not be applied`,
      )
  })
  return {
    applies: chosen.filter(
      ({ kind, wishes }) =>
        (kind === 'missing' || kind === 'differs') &&
        wishes.some(({ after }) => after !== undefined),
    ),
    deletes: chosen.filter(({ kind }) => kind === 'deleted-there' && names !== 'all'),
    left: [
      ...left,
      ...(names === 'all'
        ? chosen
            .filter(({ kind }) => kind === 'deleted-there')
            .map(
              ({ name }) => `${name}: was deleted there; name it with --object to delete it here`,
            )
        : []),
    ],
  }
}

/** What a controller made it makes again of what it belongs to. */
function isMeant({ salvaged, kind }: Difference): boolean {
  return kind !== 'same' && salvaged.class === 'spec'
}

function named(differences: readonly Difference[], name: string): Difference {
  const found = differences.find((one) => one.name === name || one.salvaged.key === name)
  if (found === undefined)
    throw new TwonodeError('E_USAGE', `${name} is not among what the losing side changed`, {
      hint: 'Write it as `twonode salvage diff` does: --object "Deployment default/web".',
    })
  return found
}

function isFirst({ salvaged }: Difference): boolean {
  return FIRST.has(salvaged.kind)
}

export interface ReplayOptions {
  readonly force: boolean
  readonly dryRun: boolean
}

/**
 * Applies it: the API server tries all of it first, and where it refuses anything nothing is done. What
 * lives in a namespace that is made here is tried when that is there.
 * @throws TwonodeError E_FAILED with the API server's words
 */
export async function replay(
  kubectl: Kubectl,
  { applies, deletes }: ReplayPlan,
  { force, dryRun }: ReplayOptions,
): Promise<void> {
  const rounds = [applies.filter(isFirst), applies.filter((one) => !isFirst(one))]
  const made: string[] = []
  for (const [index, round] of rounds.entries()) {
    const isLast = index === rounds.length - 1
    await applyAll(kubectl, round, { force, dryRun: true, made })
    if (isLast) await deleteAll(kubectl, deletes, { dryRun: true, made })
    // Its contents can not be tried where it is only tried itself.
    if (dryRun && round.length > 0 && !isLast) return
    if (dryRun) continue
    await applyAll(kubectl, round, { force, dryRun: false, made })
    made.push(...round.map(({ name }) => name))
    if (isLast) await deleteAll(kubectl, deletes, { dryRun: false, made })
  }
}

/** Of one command: what was applied before it. */
interface Round {
  readonly dryRun: boolean
  readonly made: readonly string[]
}

async function applyAll(
  kubectl: Kubectl,
  differences: readonly Difference[],
  { force, ...round }: Round & { readonly force: boolean },
): Promise<void> {
  if (differences.length === 0) return
  const words = [
    'apply',
    '--server-side',
    `--field-manager=${FIELD_MANAGER}`,
    '-o',
    'name',
    '-f',
    '-',
    ...(force ? ['--force-conflicts'] : []),
    ...(round.dryRun ? ['--dry-run=server'] : []),
  ]
  const said = await kubectl(words, documentsOf(differences.map(objectOf)))
  if (said.code !== 0) throw refused(said.stderr, round)
}

async function deleteAll(
  kubectl: Kubectl,
  differences: readonly Difference[],
  round: Round,
): Promise<void> {
  if (differences.length === 0) return
  const words = ['delete', '--ignore-not-found', '--wait=false', '-f', '-']
  const input = documentsOf(differences.map(({ salvaged }) => stubOf(salvaged)))
  const said = await kubectl(round.dryRun ? [...words, '--dry-run=server'] : words, input)
  if (said.code !== 0) throw refused(said.stderr, round)
}

function objectOf({ salvaged, wishes }: Difference): JsonObject {
  const { metadata, ...stub } = stubOf(salvaged) as { metadata: JsonObject }
  const { metadata: wishedMetadata, ...rest } = applied(wishes)
  return { ...stub, ...rest, metadata: { ...(wishedMetadata as JsonObject), ...metadata } }
}

/** kubectl's words for an API server that is not there; k3s may start anew at any time. */
const UNANSWERED = /Unable to connect to the server|The connection to the server .* was refused/

/** Its words name the fields and who owns them, and no values. */
function refused(stderr: string, { dryRun, made }: Round): TwonodeError {
  const isConflict = stderr.includes('conflict')
  const before = made.length === 0 ? 'nothing was changed' : `${made.join(', ')} was made before`
  if (UNANSWERED.test(stderr))
    return new TwonodeError(
      'E_UNREACHABLE',
      `the Kubernetes API of this host went away: ${before}`,
      {
        hint: 'Look at `twonode status`; then the same again: what was made is made once.',
        detail: stderr.trim(),
      },
    )
  return new TwonodeError(
    'E_FAILED',
    dryRun ? `the API server refuses it: ${before}` : 'the API server refused a part of it',
    {
      hint: isConflict
        ? 'Somebody here has set these fields: --force-conflicts takes them over; or choose with --object.'
        : 'Choose what is to be replayed with --object.',
      detail: stderr.trim(),
    },
  )
}
