import { Environment } from '@marcbachmann/cel-js'
import { expect, test } from 'vitest'
import { admissionPolicy } from '../../modules/admission_policy.ts'
import { policySpec } from '../../modules/parts/admission_rules.ts'
import { validatorFor } from '../../modules/parts/validators.ts'
import type { AllowedChange } from '../../src/core/restriction.ts'
import { moduleCases } from '../support/module_cases.ts'

moduleCases(admissionPolicy)

const LABEL = 'twonode.io/break-glass'

/** A request as an admission policy sees it. */
interface Request {
  readonly group?: string
  readonly resource: string
  readonly subResource?: string
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly namespace?: string
  readonly name?: string
  readonly username?: string
  readonly labels?: Readonly<Record<string, string>>
}

/** True if the policy lets it through. */
function allowed(allow: readonly AllowedChange[], asked: Request): boolean {
  const { matchConditions, validations } = policySpec({
    name: 'x',
    allow,
    breakGlassLabel: LABEL,
  }) as {
    readonly matchConditions: readonly { readonly expression: string }[]
    readonly validations: readonly { readonly expression: string }[]
  }
  const { group = '', resource, subResource = '', operation, namespace = '', name = '' } = asked
  const object = {
    metadata: { name, ...(asked.labels === undefined ? {} : { labels: asked.labels }) },
  }
  // As the API server does it: what is empty is left out, and what is created has no name yet.
  const request = {
    operation,
    resource: { group, version: 'v1', resource },
    userInfo: { username: asked.username ?? 'system:admin' },
    ...(subResource === '' ? {} : { subResource }),
    ...(namespace === '' ? {} : { namespace }),
    ...(name === '' || operation === 'CREATE' ? {} : { name }),
  }
  const names = {
    request,
    object: operation === 'DELETE' ? null : object,
    oldObject: operation === 'CREATE' ? null : object,
  }
  const environment = new Environment({ unlistedVariablesAreDyn: true })
  const holds = ({ expression }: { readonly expression: string }) =>
    environment.evaluate(expression, names) === true
  return !matchConditions.every(holds) || validations.every(holds)
}

const SCALING: AllowedChange = {
  groups: ['apps'],
  resources: ['deployments/scale'],
  verbs: ['update'],
}

// oxfmt-ignore
test.each<[string, boolean, readonly AllowedChange[], Request]>([
  ['a person changes nothing by default', false, [], { resource: 'configmaps', operation: 'CREATE' }],
  ['what is on the list is let through', true, [SCALING], { group: 'apps', resource: 'deployments', subResource: 'scale', operation: 'UPDATE' }],
  ['the object of a subresource is another thing', false, [SCALING], { group: 'apps', resource: 'deployments', operation: 'UPDATE' }],
  ['so is another group', false, [SCALING], { group: 'example.com', resource: 'deployments', subResource: 'scale', operation: 'UPDATE' }],
  ['so is another verb', false, [{ resources: ['pods'], verbs: ['create'] }], { resource: 'pods', operation: 'DELETE' }],
  ['a namespace may be let through as a whole', true, [{ resources: ['*'], namespaces: ['till'] }], { resource: 'secrets', operation: 'DELETE', namespace: 'till' }],
  ['and no other one with it', false, [{ resources: ['*'], namespaces: ['till'] }], { resource: 'secrets', operation: 'DELETE', namespace: 'office' }],
  ['an object of one name', true, [{ resources: ['configmaps'], names: ['prices'] }], { resource: 'configmaps', operation: 'UPDATE', name: 'prices' }],
  ['one that is created under it as well', true, [{ resources: ['configmaps'], names: ['prices'] }], { resource: 'configmaps', operation: 'CREATE', name: 'prices' }],
  ['a text of the list is no code', false, [{ resources: ['pods'], names: ["' || true || '"] }], { resource: 'pods', operation: 'DELETE', name: 'x' }],
  ['the scheduler goes on', true, [], { resource: 'pods', subResource: 'binding', operation: 'CREATE', username: 'system:kube-scheduler' }],
  ['so does a node', true, [], { resource: 'pods', operation: 'DELETE', username: 'system:node:h1' }],
  ['and what runs in kube-system', true, [], { resource: 'pods', operation: 'CREATE', username: 'system:serviceaccount:kube-system:replicaset-controller' }],
  ['but no other service account', false, [], { resource: 'pods', operation: 'CREATE', username: 'system:serviceaccount:default:ci' }],
  ['the glass is broken for what is written', true, [], { resource: 'secrets', operation: 'CREATE', labels: { [LABEL]: 'true' } }],
  ['and for what is removed', true, [], { resource: 'secrets', operation: 'DELETE', labels: { [LABEL]: 'true' } }],
  ['but not by another value', false, [], { resource: 'secrets', operation: 'UPDATE', labels: { [LABEL]: 'yes' } }],
])('%s', (_, expected, allow, request) => {
  expect(allowed(allow, request)).toBe(expected)
})

test('a quote, a line or an expression is no name', () => {
  const problems = validatorFor('admission_policy')({
    name: 'x',
    allow: [{ resources: ["pods' in ['"], names: ['a\nb'] }],
  })
  expect(problems.map(({ path }) => path.join('.'))).toEqual([
    'allow.0.resources.0',
    'allow.0.names.0',
  ])
})
