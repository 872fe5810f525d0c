import { celEnv, parse, plan } from '@bufbuild/cel'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import {
  checkExpression,
  evaluate,
  evaluateEarly,
  parseExpression,
} from '../../src/plan/expression.ts'
import { Fault } from '../../src/plan/fault.ts'
import { UNKNOWN } from '../../src/plan/values.ts'

/** Another implementation of CEL, to compare ours with. */
function oracle(text: string, names: Readonly<Record<string, unknown>>): unknown {
  const context = Object.fromEntries(
    Object.entries(names).map(([name, value]) => [name, whole(value)]),
  )
  return plain(plan(celEnv(), parse(text))(context as never))
}

const whole = (value: unknown): unknown => {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(whole)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, whole(v)]))
}

const plain = (value: unknown): unknown => {
  if (value instanceof Error) throw value
  return typeof value === 'bigint' ? Number(value) : value
}

const NAMES = {
  vars: {
    port: 5432,
    name: 'kine',
    on: true,
    none: null,
    list: [1, 2, 3],
    texts: ['a', 'b'],
    map: { a: 1 },
  },
  site: { mode: 'paired', term: 3 },
}

// oxfmt-ignore
const SAME = [
  'vars.port == 5432', 'vars.port + 1', 'vars.port / 1000', 'vars.port % 10', '-vars.port', 'vars.port > 1000 && vars.on', '7 / 2 == 3',
  'vars.name + "-x"', 'vars.name.startsWith("k")', 'vars.name.endsWith("e")', 'vars.name.contains("in")', 'vars.name.matches("^k.*e$")',
  'size(vars.name)', 'size(vars.list)', 'vars.list.size()', '2 in vars.list', '"c" in vars.texts', '"a" in vars.map', 'vars.on ? 1 : 2',
  'vars.none == null', '!(vars.on)', 'vars.on || vars.nothing', 'vars.nothing && false', 'has(vars.map)', 'has(vars.nothing)', 'vars.list[1]',
  'vars.map["a"]', 'vars.list.exists(x, x > 2)', 'vars.list.all(x, x > 0)', 'vars.list.exists_one(x, x == 1)', 'size(vars.list.filter(x, x > 1))',
  'site.mode == "paired" || site.term == 1', 'string(vars.port)', 'int("42")', 'vars.texts == ["a", "b"]', '1.5 + 1.5', 'vars.port != 5433',
]

test.each(SAME)('%s is what the other implementation says', (text) => {
  expect(evaluate(text, NAMES)).toEqual(oracle(text, NAMES))
})

test('arithmetic and comparison of whole numbers agree with the other implementation', () => {
  const number = fc.integer({ min: -1000, max: 1000 })
  const operator = fc.constantFrom('+', '-', '*', '<', '<=', '>', '>=', '==', '!=')
  fc.assert(
    fc.property(number, operator, number, number, (a, op, b, c) => {
      const names = { vars: { a, b, c } }
      const text = `vars.a ${op} (vars.b * 2 - vars.c)`
      expect(evaluate(text, names)).toEqual(oracle(text, names))
    }),
  )
})

test('division keeps whole numbers whole, as an integer of CEL', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer().filter((n) => n !== 0),
      (a, b) => {
        const quotient = evaluate('vars.a / vars.b', { vars: { a, b } })
        expect(quotient).toBe(Math.trunc(a / b) + 0)
      },
    ),
  )
})

const PLANTED = 'planted-s3cret'
// oxfmt-ignore
const FAILING = [
  'int(vars.x)', 'vars.x + 1', 'duration(vars.x)', 'bool(vars.x)', 'vars[vars.x]', '"a".matches(vars.x + "(")', 'vars.x ? 1 : 2',
  'timestamp(vars.x)', 'vars.x[3]', 'double(vars.x)', 'vars.x.exists(a, a == 1)', 'vars.x.nothing', 'vars.list[9]', 'uint(vars.x)',
]

test.each(FAILING)('the error of %s shows no value', (text) => {
  const act = () => evaluate(text, { vars: { x: PLANTED, list: [PLANTED] } })
  expect(act).toThrow(Fault)
  expect(act).not.toThrow(new RegExp(PLANTED))
})

test('an expression can not see a secret, only that it is not there', () => {
  const secret = new Secret(PLANTED, 'env:X')
  const names = { vars: { token: secret, tokens: [secret], other: 1 } }
  expect(evaluate('has(vars.token)', names)).toBe(false)
  expect(() => evaluate('vars.token == "x"', names)).toThrow(/no such key/)
  expect(() => evaluate('vars.tokens[0] == "x"', names)).toThrow(Fault)
  const found: string[] = []
  const expression = parseExpression('vars == 1 || vars.token == "x"', ['vars'])
  checkExpression(expression, names, ({ message }) => found.push(message))
  expect(found).toHaveLength(2)
})

function faults(text: string): readonly string[] {
  const found: string[] = []
  const report = ({ at, message }: Fault) => found.push(`${at} ${message}`)
  checkExpression(parseExpression(text, ['vars', 'site']), NAMES, report)
  return found
}

test('names are checked as deep as they are known, and has() may ask for what is missing', () => {
  expect(faults('vars.prot == 1')).toEqual(['5 vars.prot is not defined'])
  expect(faults('vars.map.b.c == 1')).toEqual(['9 vars.map.b is not defined'])
  expect(faults('has(vars.map.b)')).toEqual([])
  expect(faults('has(vars.mop.b)')).toEqual(['9 vars.mop is not defined'])
  expect(faults('vars.list.exists(vars, vars == 1)')).toEqual([])
  expect(faults('cel.bind(x, vars.nope, x)')).toEqual(['17 vars.nope is not defined'])
})

test('a value is told early only if nothing unknown can change it', () => {
  const names = {
    vars: { on: false, off: true },
    site: { term: UNKNOWN, name: 's' },
    probe: UNKNOWN,
  }
  const early = (text: string) => evaluateEarly(parseExpression(text, Object.keys(names)), names)
  expect(early('vars.on && site.term == 1')).toBe(false)
  expect(early('site.term == 1 && vars.on')).toBe(false)
  expect(early('site.term == 1 || vars.off')).toBe(true)
  expect(early('site.name == "s"')).toBe(true)
  const open = [
    'site.term == 1',
    'has(site.term)',
    'has(probe.x)',
    'size(site) == 2',
    '!(site.term == 1)',
  ]
  expect(open.map(early)).toEqual(open.map(() => UNKNOWN))
})

test('a name of no kind is refused with the names that there are', () => {
  expect(() => parseExpression('leader == "h1"', ['vars', 'site'])).toThrow(
    expect.objectContaining({
      kind: 'E_VARIABLE',
      at: 0,
      hint: 'Known here: site, vars. Text needs quotes.',
    }),
  )
})
