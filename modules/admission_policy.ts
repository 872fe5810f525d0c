import type { Change } from '../src/core/change.ts'
import { NotYet, TwonodeError } from '../src/core/errors.ts'
import type { Observer } from '../src/core/host.ts'
import { isObject, type JsonObject, parseJson, sameJson } from '../src/core/json.ts'
import { defineModule } from '../src/core/module.ts'
import {
  ALLOWED_CHANGES,
  type AllowedChange,
  BREAK_GLASS_LABEL,
  LABEL_KEY,
} from '../src/core/restriction.ts'
import { type AdmissionRules, bindingSpec, policySpec } from './parts/admission_rules.ts'

interface Args {
  readonly name: string
  readonly allow: readonly AllowedChange[]
  readonly break_glass_label: string
  readonly state: 'enforced' | 'ready' | 'absent'
}

/** What Kubernetes has of the two; undefined: it is not there. */
interface State {
  readonly policy: unknown
  readonly binding: unknown
}

const KUBECTL = ['/usr/local/bin/k3s', 'kubectl', '--request-timeout=5s'] as const

/** kubectl looks up what the server knows before it asks. @unit milliseconds */
const KUBECTL_TIMEOUT_MS = 20_000

const POLICY = 'validatingadmissionpolicies.admissionregistration.k8s.io'
const BINDING = 'validatingadmissionpolicybindings.admissionregistration.k8s.io'

export const admissionPolicy = defineModule<Args, State>({
  name: 'admission_policy',
  doc: {
    summary: 'A policy of Kubernetes that lets only a list of changes through.',
    notes: [
      'A ValidatingAdmissionPolicy and, while it is `enforced`, its binding. What the cluster does itself is never held up: its own parts, the service accounts of kube-system, leases, events and every status. Neither is reading. The two objects themselves can always be changed: Kubernetes exempts them.',
      'An object that bears the label `break_glass_label` with the value `true` may be created, changed and removed whatever the list says.',
    ].join('\n\n'),
    source: 'https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/',
    examples: [
      {
        title: 'Scaling, and everything in one namespace',
        args: {
          name: 'twonode-restricted',
          allow: [
            { groups: ['apps'], resources: ['deployments/scale'], verbs: ['update'] },
            { resources: ['*'], namespaces: ['till'] },
          ],
          state: 'enforced',
        },
      },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
        'x-form': 'lower-case letters, digits and dashes',
        description: 'Name of both objects.',
      },
      allow: { ...ALLOWED_CHANGES, default: [] },
      break_glass_label: {
        ...LABEL_KEY,
        default: BREAK_GLASS_LABEL,
        description: 'An object with this label, and the value `true`, is let through.',
      },
      state: {
        type: 'string',
        enum: ['enforced', 'ready', 'absent'],
        default: 'enforced',
        description: '`ready`: the policy is there and binds nobody.',
      },
    },
  },

  key: ({ name }) => [`admission_policy:${name}`],

  async observe(host, { name }) {
    const [policy, binding] = await Promise.all([
      specOf(host, POLICY, name),
      specOf(host, BINDING, name),
    ])
    return { policy, binding }
  },

  // The binding last, and first to go: alone it would hold up everything, or nothing.
  diff({ policy, binding }, args): readonly Change[] {
    const { name } = args
    const rules = rulesOf(args)
    const bound = args.state === 'enforced'
    return [
      ...(binding !== undefined && !bound ? [removal(BINDING, name)] : []),
      ...(args.state === 'absent' && policy !== undefined ? [removal(POLICY, name)] : []),
      ...(args.state !== 'absent' && !sameJson(policy, policySpec(rules))
        ? [writing('ValidatingAdmissionPolicy', { name, spec: policySpec(rules), there: policy })]
        : []),
      ...(bound && !sameJson(binding, bindingSpec(rules))
        ? [
            writing('ValidatingAdmissionPolicyBinding', {
              name,
              spec: bindingSpec(rules),
              there: binding,
            }),
          ]
        : []),
    ]
  },

  result: ({ binding }) => ({ enforced: binding !== undefined }),
})

function rulesOf({ name, allow, break_glass_label: breakGlassLabel }: Args): AdmissionRules {
  return { name, allow, breakGlassLabel }
}

async function specOf(host: Observer, kind: string, name: string): Promise<unknown> {
  const argv = [...KUBECTL, 'get', kind, name, '--ignore-not-found', '-o', 'json']
  const { code, stdout, stderr } = await host.exec(argv, { timeoutMs: KUBECTL_TIMEOUT_MS })
  if (code !== 0) throw new NotYet(`Kubernetes can not be asked: ${stderr.trim().slice(0, 300)}`)
  if (stdout.trim() === '') return undefined
  const found = parseJson(stdout)
  if (!isObject(found)) throw new TwonodeError('E_FAILED', `kubectl answered no object: ${kind}`)
  return found['spec'] ?? null
}

interface Wanted {
  readonly name: string
  readonly spec: JsonObject
  /** Undefined: there is none. */
  readonly there: unknown
}

/** As a whole: what somebody else added to it goes. */
function writing(kind: string, { name, spec, there }: Wanted): Change {
  const metadata = { name, labels: { 'app.kubernetes.io/managed-by': 'twonode' } }
  const object = { apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata, spec }
  return {
    kind: 'exec',
    argv: [...KUBECTL, there === undefined ? 'create' : 'replace', '-f', '-'],
    stdin: JSON.stringify(object),
    timeoutMs: KUBECTL_TIMEOUT_MS,
  }
}

function removal(kind: string, name: string): Change {
  return {
    kind: 'exec',
    argv: [...KUBECTL, 'delete', kind, name, '--ignore-not-found', '--wait=false'],
    timeoutMs: KUBECTL_TIMEOUT_MS,
  }
}
