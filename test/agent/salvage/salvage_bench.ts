import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { type ControlSocket, openControlSocket } from '../../../src/agent/control_socket.ts'
import type { Note } from '../../../src/agent/ports.ts'
import { answerSalvage } from '../../../src/agent/salvage/answers.ts'
import type { Kubectl } from '../../../src/agent/salvage/cluster.ts'
import { runSalvage } from '../../../src/agent/salvage/command.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import type { SalvagedObject, SalvageManifest } from '../../../src/core/salvage.ts'
import { storedJson } from '../../salvage/stored_objects.ts'
import { scratch } from '../../support/engine_run.ts'
import { typedOf } from '../support/control_agent.ts'

let folder: ReturnType<typeof scratch>
let socket: ControlSocket
/** What the agent wrote in its journal. */
export let notes: Note[]
/** Objects by their names. */
export let cluster: Map<string, JsonObject>
/** What kubectl was asked, in words. */
export let asked: string[]
/** How the API server behaves. */
export const api: {
  /** What it says to an apply. */
  refusal: string | undefined
  /** Kinds that it does not know. */
  unknownKinds: readonly string[]
  /** Kinds that it takes nothing of. */
  refusedKinds: readonly string[]
} = { refusal: undefined, unknownKinds: [], refusedKinds: [] }

/** A host with salvages, its agent's socket and a cluster, for each test of a file. */
export function eachWithSalvages(): void {
  beforeEach(async () => {
    folder = scratch()
    notes = []
    asked = []
    cluster = new Map()
    api.refusal = undefined
    api.unknownKinds = []
    api.refusedKinds = []
    const parts = {
      site: { host: 'h1', plan: { site: { name: 'edge', stateDirectory: folder.path } } },
      journal: { note: (entry: Note) => void notes.push(entry) },
    }
    socket = await openControlSocket(join(folder.path, 'agent.sock'), async ({ options }, say) => {
      await answerSalvage(parts as unknown as Parameters<typeof answerSalvage>[0], options, say)
    })
  })
  afterEach(async () => {
    await socket.close()
    folder.remove()
  })
}

/** A place below the agent's folder. */
export const inFolder = (name: string): string => join(folder.path, name)

const name = (object: JsonObject) => (object['metadata'] as JsonObject)['name'] as string
const documents = (input: string) =>
  input
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JsonObject)

/** A cluster of a few objects by their names, and kubectl's behaviour as far as it is used. */
export const kubectl: Kubectl = async (words, input) => {
  const [verb = ''] = words
  const objects = documents(input)
  asked.push(
    [verb, ...words.filter((word) => /dry-run|force/.test(word)), ...objects.map(name)].join(' '),
  )
  const done = { code: 0, stdout: '', stderr: '' }
  const unknown = objects.find(({ kind }) => api.unknownKinds.includes(kind as string))
  if (unknown !== undefined)
    return { ...done, code: 1, stderr: `error: no matches for kind "${unknown['kind'] as string}"` }
  if (verb === 'get') {
    const items = objects.flatMap((one) => cluster.get(name(one)) ?? [])
    return { ...done, stdout: items.length === 0 ? '' : JSON.stringify({ kind: 'List', items }) }
  }
  if (verb === 'apply' && objects.some(({ kind }) => api.refusedKinds.includes(kind as string)))
    return { ...done, code: 1, stderr: 'denied by a webhook' }
  if (api.refusal !== undefined && !words.includes('--force-conflicts'))
    return { ...done, code: 1, stderr: api.refusal }
  if (!words.includes('--dry-run=server'))
    for (const one of objects) {
      if (verb === 'delete') cluster.delete(name(one))
      else cluster.set(name(one), { ...cluster.get(name(one)), ...one })
    }
  return done
}

export const configMap = (of: string, data: JsonObject | null, kind = 'ConfigMap'): JsonObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: of, namespace: 'default' },
  ...(data === null ? {} : { data }),
})

export interface Change {
  readonly object: SalvagedObject['change']
  readonly before?: JsonObject
  readonly after?: JsonObject
}

const base64 = (value?: JsonObject) =>
  value === undefined ? null : storedJson(value).toString('base64')

const fileOf = (text: string) => ({
  bytes: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
})

/** A salvage as it is written, of these objects. */
export function saves(
  branch: string,
  changes: readonly Change[],
  over: Partial<SalvageManifest> = {},
): void {
  const place = join(folder.path, 'salvage', branch)
  mkdirSync(place, { recursive: true })
  let text = ''
  const objects = changes.map(({ object: change, before, after }) => {
    const of = (after ?? before) as JsonObject
    const line = `${JSON.stringify({ value: base64(after ?? before), old_value: base64(before) })}\n`
    const range = { at: Buffer.byteLength(text), length: Buffer.byteLength(line) }
    text += line
    const { apiVersion, kind } = of as { apiVersion: string; kind: string }
    const key = `/registry/${kind}/default/${name(of)}`
    const identity = { apiVersion, kind, namespace: 'default', name: name(of), owner: null }
    return { key, class: 'spec', change, ...identity, changes: 1, first: range, last: range }
  })
  const list = objects.map((one) => `${JSON.stringify(one)}\n`).join('')
  const none = { objects: 0, changes: 0 }
  const manifest = {
    format: 1,
    site: 'edge',
    host: 'h1',
    branch: Number(branch.split('_')[0]),
    successor: { branch: 2, leader: 'h2' },
    exact: true,
    inexact: null,
    missing: null,
    transactions: 7,
    from: '2026-11-22T10:00:00.000Z',
    until: '2026-11-22T10:01:00.000Z',
    at: `2026-11-22T10:0${branch.length}:00.000Z`,
    counts: {
      spec: { objects: changes.length, changes: changes.length },
      derived: none,
      status: none,
      lease: { objects: 1, changes: 500 },
      event: none,
      own: none,
    },
    files: {
      changes: fileOf(text),
      objects: fileOf(list),
    },
    ...over,
  }
  writeFileSync(join(place, 'manifest.json'), JSON.stringify(manifest))
  writeFileSync(join(place, 'changes.ndjson'), text)
  writeFileSync(join(place, 'objects.ndjson'), list)
}

/** What the command prints. */
export async function salvage(...words: readonly string[]): Promise<string> {
  return await answered(words, null)
}

export async function answered(words: readonly string[], answer: boolean | null): Promise<string> {
  let said = ''
  const out = { write: (text: string) => void (said += text) }
  const world = { socket: join(folder.path, 'agent.sock'), kubectl, confirm: async () => answer }
  expect(await runSalvage(typedOf(['salvage', ...words]), out, world)).toBe(0)
  return said
}

export const CHANGED: Change = {
  object: 'changed',
  before: configMap('settings', { colour: 'blue' }),
  after: configMap('settings', { colour: 'red' }),
}
export const CREATED: Change = { object: 'created', after: configMap('new', { a: 'b' }) }
export const DELETED: Change = { object: 'deleted', before: configMap('old', { a: 'b' }) }
