import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { otherProgram } from '../../src/agent/site_bundle.ts'
import { siteFileText } from '../../src/plan/site_file.ts'
import { planOf, scratch } from '../support/engine_run.ts'

const [OURS, THEIRS] = ['a'.repeat(64), 'b'.repeat(64)]

let folder: ReturnType<typeof scratch>
beforeEach(() => {
  folder = scratch()
  for (const name of [OURS, THEIRS]) {
    mkdirSync(join(folder.path, name))
    writeFileSync(join(folder.path, name, 'agent.mjs'), '')
  }
})
afterEach(() => folder.remove())

const siteFile = () => join(folder.path, 'site.yaml')

function siteOf(bundle: string): void {
  writeFileSync(siteFile(), siteFileText({ plan: { ...planOf([]), bundle }, secrets: new Map() }))
}

const other = () => otherProgram(join(folder.path, OURS), siteFile())

test('the program of the bundle that compiled the site runs, whichever came last', () => {
  siteOf(THEIRS)
  expect(other()).toBe(join(folder.path, THEIRS, 'agent.mjs'))
  siteOf(OURS)
  expect(other()).toBeUndefined()
})

test.each([
  ['a bundle that is not there', () => siteOf('c'.repeat(64))],
  ['a site file that is torn', () => writeFileSync(siteFile(), 'format: 1\nsha')],
  ['no site file', () => {}],
])('with %s ours runs, and says what is wrong', (_, make) => {
  make()
  expect(other()).toBeUndefined()
})
