import { messageOf, TwonodeError } from '../../core/errors.ts'
import type { ExecResult } from '../../core/host.ts'
import { isObject, type JsonObject, parseJson } from '../../core/json.ts'
import { runCommand } from '../../host/command.ts'

/** kubectl on this host, with its words and what it reads. */
export type Kubectl = (words: readonly string[], input: string) => Promise<ExecResult>

/** Of a command of some dozen objects. @unit milliseconds */
const TIMEOUT_MS = 120_000

/** k3s' own, by the address and the rights that k3s gave this host. */
export const hostKubectl: Kubectl = async (words, input) =>
  await runCommand(['/usr/local/bin/k3s', 'kubectl', '--request-timeout=20s', ...words], {
    stdin: input,
    timeoutMs: TIMEOUT_MS,
    env: {},
    lockFd: undefined,
  })

/** What is asked of one object, by its name. */
export interface Wanted {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** Objects in one command: its answer must fit in what is kept of an output. */
const OBJECTS_AT_ONCE = 40

/** kubectl's words for a kind that the API server does not know. */
const NO_KIND = /no matches for kind|the server doesn't have a resource type/

/**
 * The objects as the cluster has them now, by {@link objectKey}: null where there is none, undefined
 * where their kind does not exist.
 * @throws TwonodeError E_UNREACHABLE when the API server does not answer
 */
export async function objectsNow(
  kubectl: Kubectl,
  wanted: readonly Wanted[],
): Promise<ReadonlyMap<string, JsonObject | null | undefined>> {
  const found = new Map<string, JsonObject | null | undefined>()
  for (const group of groupsOf(wanted)) {
    const said = await kubectl(
      ['get', '-f', '-', '-o', 'json', '--ignore-not-found'],
      documentsOf(group.map(stubOf)),
    )
    if (said.code !== 0 && NO_KIND.test(said.stderr)) {
      for (const one of group) found.set(objectKey(one), undefined)
      continue
    }
    if (said.code !== 0) throw unanswered(said)
    const objects = new Map(itemsOf(said.stdout).map((object) => [keyOfObject(object), object]))
    for (const one of group) found.set(objectKey(one), objects.get(objectKey(one)) ?? null)
  }
  return found
}

/** Of one kind each, since a kind that is gone fails a whole command. */
function groupsOf(wanted: readonly Wanted[]): readonly (readonly Wanted[])[] {
  const kinds = new Map<string, Wanted[]>()
  for (const one of wanted) {
    const kind = `${one.apiVersion} ${one.kind}`
    kinds.set(kind, [...(kinds.get(kind) ?? []), one])
  }
  return [...kinds.values()].flatMap((of) => {
    const count = Math.ceil(of.length / OBJECTS_AT_ONCE)
    return Array.from({ length: count }, (_, index) =>
      of.slice(index * OBJECTS_AT_ONCE, (index + 1) * OBJECTS_AT_ONCE),
    )
  })
}

/** By group and not by version: the API server answers in the version that it was asked in. */
export function objectKey({ apiVersion, kind, namespace, name }: Wanted): string {
  return `${apiVersion} ${kind} ${namespace}/${name}`
}

function keyOfObject({ apiVersion, kind, metadata }: JsonObject): string {
  const meta = isObject(metadata) ? metadata : {}
  const [namespace, name] = [textOf(meta['namespace']), textOf(meta['name'])]
  return objectKey({ apiVersion: textOf(apiVersion), kind: textOf(kind), namespace, name })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** An object's name, as kubectl takes it for the object. */
export function stubOf({ apiVersion, kind, namespace, name }: Wanted): JsonObject {
  return { apiVersion, kind, metadata: { name, ...(namespace === '' ? {} : { namespace }) } }
}

/** One after the other: of a list kubectl judges the items by a schema of its own, which wants them whole. */
export function documentsOf(items: readonly JsonObject[]): string {
  return items.map((item) => `${JSON.stringify(item)}\n`).join('')
}

/** Nothing, one object, or a list of them. */
function itemsOf(text: string): readonly JsonObject[] {
  if (text.trim() === '') return []
  const parsed = parseJson(text)
  if (!isObject(parsed))
    throw new TwonodeError('E_FAILED', 'what kubectl answered can not be read', {
      hint: 'The objects may be too many or too large: name some of them with --object.',
    })
  const { items } = parsed
  return Array.isArray(items)
    ? items.filter(isObject).map((item) => item as JsonObject)
    : [parsed as JsonObject]
}

/** @throws TwonodeError where the API server of this host is not ready */
export async function refuseWithoutApi(kubectl: Kubectl): Promise<void> {
  const said = await kubectl(['get', '--raw', '/readyz'], '').catch(
    (error: unknown): ExecResult => ({ code: 1, stdout: '', stderr: messageOf(error) }),
  )
  if (said.code !== 0) throw unanswered(said)
}

function unanswered({ stderr }: ExecResult): TwonodeError {
  return new TwonodeError('E_UNREACHABLE', 'the Kubernetes API of this host does not answer', {
    hint: 'Look at `twonode status` and `systemctl status k3s` here.',
    detail: stderr,
  })
}
