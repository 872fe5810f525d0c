import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { steps } from './pair.ts'
import {
  changedCounts,
  explain,
  finished,
  startTwonode,
  type Laptop,
  type Run,
} from '../../lab/twonode_process.ts'

/** A small playbook needs seconds, whatever it runs into. @unit milliseconds */
const SMALL_TIMEOUT_MS = 90_000

/** A file on the laptop, in a folder beside its inventory. */
export function laptopFile(from: Laptop, name: string, text: string): string {
  const file = join(from.home, 'small', name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

/** Converges as a person does: the output is text. */
export async function convergeText(
  from: Laptop,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Run> {
  const child = startTwonode(from, ['converge', '-i', from.inventory, ...args], env)
  return await finished(child, SMALL_TIMEOUT_MS)
}

/** Converges for a program: the output is events. */
export async function convergeEvents(
  from: Laptop,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Run> {
  return await convergeText(from, ['--json', ...args], env)
}

/** What a person must be told, and by what code the shell. */
export interface Told {
  readonly exitCode: number
  readonly error: `E_${string}`
  /** The task, the command, its words: what must stand in the output. */
  readonly words: readonly (string | RegExp)[]
}

/** One error, with these words and what to do next. */
export function expectTold(run: Run, { exitCode, error, words }: Told): void {
  const said = `exit ${run.code}\n${run.stdout}${run.stderr}`
  expect(run.code, said).toBe(exitCode)
  expect(said.match(/error E_\w+/g), said).toEqual([`error ${error}`])
  for (const word of words) expect(said).toMatch(word instanceof RegExp ? word : literally(word))
  expect(said).toContain('What to do next')
}

function literally(text: string): RegExp {
  return new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
}

/** The next run goes on where the last one stopped, and the one after it finds nothing to do. */
export async function expectToConverge(
  from: Laptop,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Run> {
  const next = await convergeEvents(from, args, env)
  expect(next.code, explain(next)).toBe(0)
  const last = await convergeEvents(from, args, env)
  expect(last.code, explain(last)).toBe(0)
  expect(Object.values(changedCounts(last)).filter((changed) => changed > 0)).toEqual([])
  return next
}

/** For playbooks of one host: the other one is not asked. */
export const ON_H1 = ['--limit', 'h1']

/** A playbook for h1 with these tasks: what each does, by its name. */
export function playOf(
  from: Laptop,
  name: string,
  tasks: Readonly<Record<string, string>>,
): string {
  const list = Object.entries(tasks).map(
    ([task, module]) => `    - name: '${task}'\n      ${module}\n`,
  )
  return laptopFile(from, `${name}.yaml`, `- hosts: h1\n  tasks:\n${list.join('')}`)
}

/** What each task would do, or did, one line a change. */
export function changesOf(run: Run): Record<string, readonly string[]> {
  return Object.fromEntries(
    steps(run, 'would-change', 'changed').map(({ task, changes = [] }) => [
      task,
      changes.map(({ summary }) => summary),
    ]),
  )
}

/** A run that ends well, whether it looks or acts. */
export async function mustRun(from: Laptop, args: readonly string[]): Promise<Run> {
  const run = await convergeEvents(from, args)
  expect([0, 10], explain(run)).toContain(run.code)
  return run
}
