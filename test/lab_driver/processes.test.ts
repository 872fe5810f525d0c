import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { below } from '../../lab/processes.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twonode-cgroups-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('cgroups are listed with the deepest first, as they have to be removed', () => {
  mkdirSync(join(folder, 'system.slice/kine.service'), { recursive: true })
  writeFileSync(join(folder, 'system.slice/cgroup.procs'), '')
  const found = ['system.slice/kine.service', 'system.slice'].map((name) => join(folder, name))
  expect(below(folder)).toEqual(found)
})

test('a unit that ends while its cgroup is looked for has none', () => {
  expect(below(join(folder, 'system.slice/systemd-update-utmp-runlevel.service'))).toEqual([])
})
