import * as fc from 'fast-check'
import Handlebars from 'handlebars'
import { expect, test } from 'vitest'
import { reveal, Secret } from '../../src/core/secret.ts'
import { Fault } from '../../src/plan/fault.ts'
import { parseTemplate } from '../../src/plan/template.ts'
import { checkTemplate, templateReferences } from '../../src/plan/template_check.ts'
import { renderTemplate, renderText } from '../../src/plan/template_render.ts'
import { NotKnown, UNKNOWN, type Names } from '../../src/plan/values.ts'

const secrets = new Map([['env:T', new Secret('s3cret-value', 'env:T')]])

const names = {
  vars: {
    text: 'a <b> & "c"',
    port: 5432,
    on: true,
    none: null,
    empty: [],
    list: ['x', 'y'],
    rows: [
      { name: 'r1', tags: ['t1', 't2'] },
      { name: 'r2', tags: [] },
    ],
    map: { k1: 1, k2: 2 },
    token: { $secret: 'env:T' },
  },
  site: { name: 's', virtualIp: null, term: UNKNOWN },
}

const render = (text: string, with_: Names = names) =>
  renderTemplate(parseTemplate(text), { names: with_, secrets })

function faultOf(act: () => unknown): Fault {
  try {
    act()
  } catch (error) {
    if (error instanceof Fault) return error
    throw error
  }
  throw new Error('nothing was refused')
}

function faults(text: string): readonly string[] {
  const found: string[] = []
  checkTemplate(parseTemplate(text), names, ({ at, message }) => found.push(`${at}: ${message}`))
  return found
}

// oxfmt-ignore
const SAME_AS_HANDLEBARS = [
  'plain', '', 'port {{vars.port}} {{ vars.text }}', '{{{vars.text}}}x', 'x{{&vars.text}}', '{{! gone }}x',
  '{{#if vars.on}}yes{{else}}no{{/if}}', '{{#if vars.empty}}yes{{else}}no{{/if}}',
  '{{#unless vars.none}}yes{{/unless}}.', '{{#if vars.none}}a{{else if vars.on}}b{{else}}c{{/if}}',
  '{{#each vars.list}}{{@index}}={{this}}{{#unless @last}}, {{/unless}}{{/each}}.',
  '{{#each vars.rows}}{{name}}:{{#each tags}}{{../name}}/{{.}} {{@../index}}{{else}}none{{/each}};{{/each}}.',
  '{{#each vars.rows as |row i|}}{{i}}{{row.name}}{{#each row.tags as |tag|}}{{tag}}{{row.name}}{{/each}}{{/each}}.',
  '{{#each vars.map}}{{@key}}={{this}} {{@first}};{{/each}}.', '{{#with vars.map}}{{k1}}{{../site.name}}{{/with}}.',
  '{{#with vars.map as |m|}}{{m.k2}}{{@root.site.name}}{{/with}}.', '{{#each vars.empty}}x{{else}}empty{{/each}}.',
  'a\n{{#if vars.on}}\n  b\n{{/if}}\nc\n', 'a {{~vars.port~}} b', '\\{{raw}} {{vars.port}}', '{{vars.[port]}}.',
  '{{#each vars.rows}}{{#if tags}}{{name}}{{#with this}}{{name}}{{/with}}{{/if}}{{/each}}.', '{{vars.list.length}}.',
]

test.each(SAME_AS_HANDLEBARS)('%j gives what Handlebars gives', (text) => {
  const theirs = Handlebars.compile(text, { noEscape: true })
  expect(String(renderText(parseTemplate(text), { names, secrets }))).toBe(theirs(names))
})

test('one name alone keeps its type', () => {
  expect(render('{{vars.port}}')).toBe(5432)
  expect(render('{{ vars.on }}')).toBe(true)
  expect(render('{{vars.none}}')).toBeNull()
  expect(render('{{vars.list}}')).toEqual(['x', 'y'])
  expect(render('{{vars.port}} ')).toBe('5432 ')
})

test('a secret in a text makes the whole text a secret', () => {
  const whole = render('{{vars.token}}')
  const part = render('password={{#if vars.on}}{{vars.token}}{{/if}}')
  expect([whole, part].every((value) => value instanceof Secret)).toBe(true)
  expect(reveal(part as Secret)).toBe('password=s3cret-value')
  expect((part as Secret).origin).toBe('env:T')
  expect(String(part)).not.toContain('s3cret')
})

// oxfmt-ignore
const MISSING = [
  '{{vars.nope}}', '{{nope}}', '{{#if vars.nope}}x{{/if}}', '{{#unless nope}}x{{/unless}}', '{{#each vars.nope}}x{{/each}}',
  '{{#with nope}}x{{/with}}', '{{constructor}}', '{{vars.constructor}}', '{{vars.__proto__}}', '{{vars.list.map}}',
  '{{#each vars.rows}}{{nope}}{{/each}}', '{{#each vars.rows}}{{vars.port}}{{/each}}', '{{site.virtualIp.address}}',
  '{{vars.token.length}}', 'x{{@index}}', '{{#each vars.rows as |r|}}{{r.nope}}{{/each}}', '{{vars.text.length}}',
]

test.each(MISSING)('%s is refused: no name is ever missing in silence', (text) => {
  expect(faultOf(() => render(text)).kind).toBe('E_VARIABLE')
  expect(faults(text)).not.toEqual([])
})

// oxfmt-ignore
const REFUSED = [
  '{{lookup vars "a"}}', '{{log vars}}', '{{> p}}', '{{#> p}}x{{/p}}', '{{* d}}', '{{"x"}}', '{{1}}', '{{#foo}}x{{/foo}}',
  '{{^vars.on}}x{{/vars.on}}', '{{#if (eq a b)}}x{{/if}}', '{{#if vars.on includeZero=true}}x{{/if}}', '{{#if vars.on vars.on}}x{{/if}}',
  '{{#if}}x{{/if}}', '{{@foo}}', '{{vars.port}', '{{#if vars.on}}x', '{{#if vars.on}}x{{/each}}', '{{else}}', '{{{{raw}}}}x{{{{/raw}}}}',
]

test.each(REFUSED)('%s is no template of ours', (text) => {
  expect(faultOf(() => parseTemplate(text)).kind).toBe('E_TEMPLATE')
})

test('a name that goes above the template, a list in a text, and null in a text are refused', () => {
  const texts = ['{{../x}}.', 'x{{vars.list}}', 'x{{vars.none}}', 'x{{vars.map}}']
  const kinds = texts.map((text) => faultOf(() => render(text)).kind)
  expect(new Set(kinds)).toEqual(new Set(['E_TEMPLATE']))
  expect(faultOf(() => render('{{#each vars.port}}x{{/each}}')).message).toContain('takes a list')
})

test('a parse error has its offset, also far behind the start', () => {
  const text = `${'line of text\n'.repeat(5)}some more text {{ vars.x } and on\n`
  expect(faultOf(() => parseTemplate(text)).at).toBe(text.indexOf('} and'))
})

test('what the host alone knows stops rendering and no check', () => {
  expect(() => render('{{site.term}}')).toThrow(NotKnown)
  expect(() => render('{{#if site.term}}x{{/if}}')).toThrow(NotKnown)
  expect(
    faults('{{site.term.any.thing}} {{#each site.term}}{{x}}{{@index}}{{../site.name}}{{/each}}'),
  ).toEqual([])
})

test('both branches are checked unless the value tells which one is taken', () => {
  expect(faults('{{#if site.term}}{{vars.a}}{{else}}{{vars.b}}{{/if}}')).toHaveLength(2)
  expect(faults('{{#if site.virtualIp}}{{site.virtualIp.address}}{{/if}}')).toEqual([])
})

test('references are the names at the top, through all blocks and scopes', () => {
  const text =
    '{{#each a.b as |x|}}{{x}}{{c}}{{../d.e}}{{#with f}}{{../../g}}{{@root.h}}{{/with}}{{else}}{{i}}{{/each}}'
  const found = templateReferences(parseTemplate(text)).map((parts) => parts.join('.'))
  expect(found).toEqual(['a.b', 'd.e', 'g', 'h', 'i'])
})

test('text without braces is rendered as it is', () => {
  const noBraces = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('{{'))
  fc.assert(
    fc.property(noBraces, (text) => {
      expect(renderText(parseTemplate(text), { names, secrets })).toBe(text)
    }),
  )
})
