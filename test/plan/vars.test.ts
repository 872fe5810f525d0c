import { expect, test } from 'vitest'
import { formatPlace } from '../../src/core/place.ts'
import { parseInventory } from '../../src/plan/inventory.ts'
import { parsePlaybookText } from '../../src/plan/playbook.ts'
import { explainVars, parseExtraVars } from '../../src/plan/vars.ts'
import { INVENTORY, memoryFiles } from './compile_text.ts'

const files = memoryFiles({ 'extra.yaml': 'colour: green\nport: 6\n', 'list.yaml': '- a\n' })

test('each definition of a variable is told with its place, and which one counts', () => {
  const [site] = parseInventory(INVENTORY, 'inventory.yaml').sites.values()
  if (site === undefined) throw new Error('no site')
  const text = '- hosts: all\n  vars: { colour: red }\n  tasks: [{ judge: {} }, { judge: {} }]\n'
  const playbook = parsePlaybookText(text, 'playbook.yaml', files)
  const extra = parseExtraVars(['colour=grey'], files)
  const told = explainVars(site, playbook, extra)
    .filter(({ name, host }) => (name === 'colour' && host === 'h2') || name === 'port')
    .map((one) => [one.name, one.host, one.level, one.value, one.wins, formatPlace(one.place)])
  expect(told).toEqual([
    ['colour', 'h2', 'playbook', 'red', false, 'playbook.yaml:2:11'],
    ['colour', 'h2', 'site', 'blue', false, 'inventory.yaml:9:3'],
    ['colour', 'h2', 'command line', 'grey', true, '-e:1:1'],
    ['port', 'h1', 'site', 5432, false, 'inventory.yaml:10:3'],
    ['port', 'h1', 'host', 1, true, 'inventory.yaml:5:32'],
    ['port', 'h2', 'site', 5432, true, 'inventory.yaml:10:3'],
  ])
})

test('-e reads a value as what it looks like, and keeps what YAML would change', () => {
  const values = ['5', 'true', '1.5', '1.10', '0644', 'yes', 'a: b', '', '"x"', '[1]', '~', 'a=b']
  const read = parseExtraVars(
    values.map((value) => `v=${value}`),
    files,
  ).map(({ vars }) => vars['v'])
  expect(read).toEqual([5, true, 1.5, '1.10', '0644', 'yes', 'a: b', '', '"x"', '[1]', '~', 'a=b'])
})

test('-e @FILE gives all variables of a file, and a later -e wins', () => {
  const levels = parseExtraVars(['@extra.yaml', 'port=7'], files)
  expect(Object.assign({}, ...levels.map(({ vars }) => vars))).toEqual({ colour: 'green', port: 7 })
  expect(() => parseExtraVars(['@none.yaml'], files)).toThrow(/no file none.yaml/)
  expect(() => parseExtraVars(['@list.yaml'], files)).toThrow(/is a map/)
  expect(() => parseExtraVars(['port'], files)).toThrow(/NAME=VALUE/)
})
