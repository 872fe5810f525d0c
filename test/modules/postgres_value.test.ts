import { expect, test } from 'vitest'
import { type Parameter, runsWith } from '../../modules/parts/postgres_value.ts'

const parameter = (vartype: Parameter['vartype'], setting: string, unit: string | null = null) => ({
  name: 'x',
  context: 'sighup',
  vartype,
  setting,
  unit,
})

test.each([
  ['1GB', parameter('integer', '131072', '8kB')],
  ['1024MB', parameter('integer', '1024', 'MB')],
  ['131072', parameter('integer', '131072', '8kB')],
  ['-1', parameter('integer', '-1', 'MB')],
  ['200ms', parameter('integer', '200', 'ms')],
  ['1min', parameter('integer', '60', 's')],
  ['1500us', parameter('integer', '2', 'ms')],
  ['0.5', parameter('real', '0.5')],
  ['2ms', parameter('real', '2', 'ms')],
  ['yes', parameter('bool', 'on')],
  ['FALSE', parameter('bool', 'off')],
  ['0', parameter('bool', 'off')],
  ['LOGICAL', parameter('enum', 'logical')],
  ['iso,mdy', parameter('string', 'ISO, MDY')],
  [' "h2" ', parameter('string', '"h2"')],
] as const)('%s is what it runs with: $setting$unit', (wanted, found) => {
  expect(runsWith(wanted, found)).toBe(true)
})

test.each([
  ['2GB', parameter('integer', '131072', '8kB')],
  ['201ms', parameter('integer', '200', 'ms')],
  ['10MB', parameter('integer', '10')],
  ['10 minutes', parameter('integer', '10', 'min')],
  ['nonsense', parameter('integer', '0')],
  ['on', parameter('bool', 'off')],
  ['maybe', parameter('bool', 'off')],
  ['h3', parameter('string', 'h2')],
] as const)('%s is not what it runs with', (wanted, found) => {
  expect(runsWith(wanted, found)).toBe(false)
})
