import { Refusals, TwonodeError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { compile, type Compiled } from '../../src/plan/compile.ts'
import { parseInventory } from '../../src/plan/inventory.ts'
import { parsePlaybook, type Files } from '../../src/plan/playbook.ts'
import { parseExtraVars } from '../../src/plan/vars.ts'
import { fakeRegistry, fakeValidate } from './fake_modules.ts'

/** The inventory of tests that are about something else. */
export const INVENTORY = `name: site
hosts:
  - name: h1
    address: 10.0.0.1
    vars: { only_h1: yes-only, port: 1 }
  - name: h2
    address: 10.0.0.2
vars:
  colour: blue
  port: 5432
  list: [a, b]
  token: !secret { env: TOKEN }
`

/** Files in memory; `digest` is made up of the text's length. */
export function memoryFiles(texts: Readonly<Record<string, string>>): Files {
  return {
    read: (path) => texts[path],
    digest: (path) => {
      const text = texts[path]
      if (text === undefined) return undefined
      return { sha256: text.length.toString(16).padStart(64, '0'), size: text.length }
    },
  }
}

export interface TextOptions {
  readonly extra?: readonly string[]
  readonly tags?: readonly string[]
}

/** Compiles `playbook.yaml` for the one site of `inventory.yaml`, with the fake modules. */
export function compileTexts(
  texts: Readonly<Record<string, string>>,
  { extra = [], tags = [] }: TextOptions = {},
): Compiled {
  const all = { 'inventory.yaml': INVENTORY, ...texts }
  const files = memoryFiles(all)
  const [site] = parseInventory(all['inventory.yaml'], 'inventory.yaml').sites.values()
  if (site === undefined) throw new Error('the inventory has no site')
  return compile({
    site,
    playbook: parsePlaybook('playbook.yaml', files),
    registry: fakeRegistry,
    validate: fakeValidate,
    extraVars: parseExtraVars(extra, files),
    files,
    readSecret: ({ id, place }) => {
      if (id.includes('MISSING')) throw new TwonodeError('E_SECRET', `${id} is not set`, { place })
      return new Secret(`secret of ${id}`, id)
    },
    bundle: 'b'.repeat(64),
    version: '1.2.3',
    tags,
  })
}

/** Compiles one play for all hosts with these tasks, given as they stand under `tasks:`. */
export function compileTasks(tasks: string, options: TextOptions = {}): Compiled {
  const indented = tasks.trimEnd().replaceAll(/^/gm, '    ')
  return compileTexts({ 'playbook.yaml': `- hosts: all\n  tasks:\n${indented}\n` }, options)
}

/** What `act` refuses; nothing if it refuses nothing. */
export function refusalsOf(act: () => unknown): readonly TwonodeError[] {
  try {
    act()
  } catch (error) {
    if (error instanceof Refusals) return error.all
    throw error
  }
  return []
}
