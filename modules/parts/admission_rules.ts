import type { JsonObject } from '../../src/core/json.ts'
import type { AllowedChange } from '../../src/core/restriction.ts'

export interface AdmissionRules {
  readonly name: string
  readonly allow: readonly AllowedChange[]
  readonly breakGlassLabel: string
}

/**
 * Those who keep the cluster as it is wanted: its own parts, and the service accounts of kube-system.
 * k3s' administrator is called system:admin, and is a person.
 * @source https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles
 */
const BY_THE_CLUSTER =
  "request.userInfo.username.startsWith('system:') && request.userInfo.username != 'system:admin' && " +
  "(!request.userInfo.username.startsWith('system:serviceaccount:') || " +
  "request.userInfo.username.startsWith('system:serviceaccount:kube-system:'))"

/** Words about the cluster and not for it: nothing is wanted by them. Reviews and tokens are not even stored. */
const NO_INTENT = [
  { apiGroups: ['authentication.k8s.io', 'authorization.k8s.io'], resources: ['*'] },
  { apiGroups: [''], resources: ['serviceaccounts/token'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'] },
  { apiGroups: ['', 'events.k8s.io'], resources: ['events'] },
  { apiGroups: ['*'], resources: ['*/status'] },
] as const

/** With all that the API server would fill in: what it answers is compared with it. */
export function policySpec(rules: AdmissionRules): JsonObject {
  return {
    failurePolicy: 'Fail',
    matchConstraints: {
      excludeResourceRules: NO_INTENT.map(({ apiGroups, resources }) => rule(apiGroups, resources)),
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      resourceRules: [rule(['*'], ['*/*'])],
    },
    matchConditions: [{ name: 'not-the-cluster-itself', expression: `!(${BY_THE_CLUSTER})` }],
    validations: [
      {
        expression: [...rules.allow.map(allows), brokenGlass(rules)].join(' || '),
        message: `the site has no redundancy, and this is none of the changes that are allowed meanwhile; an object with the label ${rules.breakGlassLabel}=true is let through`,
        reason: 'Forbidden',
      },
    ],
  }
}

function rule(groups: readonly string[], resources: readonly string[]): JsonObject {
  return {
    apiGroups: [...groups],
    apiVersions: ['*'],
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    resources: [...resources],
    scope: '*',
  }
}

export function bindingSpec({ name }: Pick<AdmissionRules, 'name'>): JsonObject {
  return { policyName: name, validationActions: ['Deny'] }
}

/**
 * What of a request an entry names. What is empty is left out of it: the name of what is about to be
 * created, the subresource of an object itself.
 * @source https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#validation-expression
 */
const ASKED = {
  group: "(has(request.resource.group) ? request.resource.group : '')",
  resource:
    "(request.resource.resource + (has(request.subResource) && request.subResource != '' ? '/' + request.subResource : ''))",
  verb: 'request.operation',
  namespace: "(has(request.namespace) ? request.namespace : '')",
  name: "(has(request.name) && request.name != '' ? request.name : object != null && has(object.metadata) && has(object.metadata.name) ? object.metadata.name : '')",
} as const

/** One entry of the list, as CEL. Every text in it is quoted: none is code. */
function allows({ groups, resources, verbs, namespaces, names }: AllowedChange): string {
  const parts = [
    ...oneOf(ASKED.group, groups),
    ...(resources.includes('*') ? [] : oneOf(ASKED.resource, resources)),
    ...oneOf(
      ASKED.verb,
      verbs?.map((verb) => verb.toUpperCase()),
    ),
    ...oneOf(ASKED.namespace, namespaces),
    ...oneOf(ASKED.name, names),
  ]
  return parts.length === 0 ? 'true' : `(${parts.join(' && ')})`
}

function oneOf(what: string, values: readonly string[] | undefined): readonly string[] {
  return values === undefined ? [] : [`${what} in [${values.map(quoted).join(', ')}]`]
}

/** The label on what is written, or on what is removed. */
function brokenGlass({ breakGlassLabel }: AdmissionRules): string {
  const label = quoted(breakGlassLabel)
  const has = (object: string) =>
    `(${object} != null && has(${object}.metadata) && has(${object}.metadata.labels) && ` +
    `${label} in ${object}.metadata.labels && ${object}.metadata.labels[${label}] == 'true')`
  return `${has('object')} || (object == null && ${has('oldObject')})`
}

/** @source https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", String.raw`\'`)}'`
}
