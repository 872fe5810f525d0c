import { SITE_SECRET_FILES, type FileStat, type SiteSecretName } from '../src/core/host.ts'
import type { Change } from '../src/core/change.ts'
import { defineModule } from '../src/core/module.ts'
import { attributeChanges } from './parts/ownership.ts'

interface Args {
  readonly name: SiteSecretName
}

interface Part {
  readonly path: string
  readonly mode: number
  /** undefined: missing. An empty file is as good as none. */
  readonly stat: FileStat | undefined
}

interface State {
  readonly parts: readonly Part[]
}

export const siteSecret = defineModule<Args, State>({
  name: 'site_secret',
  doc: {
    summary:
      "A secret that both hosts of the site share: its certificate authority, or k3s' token.",
    notes: [
      'Made once, on the first host, by the first converge that finds none on either; relayed to the other through the memory of the twonode that converges, never through its disk.',
      'It lives in `/etc/twonode/pki`, owned by root, mode 0600 (the certificate of the authority 0644). Two hosts with different ones are refused before anything is changed (E_TWO_AUTHORITIES).',
    ].join('\n\n'),
    source: 'https://docs.k3s.io/cli/token',
    examples: [
      { title: 'The certificate authority', args: { name: 'ca' } },
      { title: 'The token of the Kubernetes servers', args: { name: 'k3s-token' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: { type: 'string', enum: ['ca', 'k3s-token'], description: 'Which secret.' },
    },
  },

  key: ({ name }) => [`site-secret:${name}`],

  async observe(host, { name }) {
    const parts = partsOf(name).map(async ({ path, mode }) => ({
      path,
      mode,
      stat: await host.stat(path),
    }))
    return { parts: await Promise.all(parts) }
  },

  refuse({ parts }) {
    const odd = parts.find(({ stat }) => stat !== undefined && stat.kind !== 'file')
    return odd === undefined ? undefined : `${odd.path} is no file but a ${odd.stat?.kind}`
  },

  diff({ parts }, { name }): readonly Change[] {
    if (parts.some(({ stat }) => stat === undefined || stat.size === 0))
      return [{ kind: 'obtain', secret: name }]
    return parts.flatMap(({ path, mode, stat }) =>
      stat === undefined
        ? []
        : attributeChanges(path, stat, { mode, owner: 'root', group: 'root' }),
    )
  },
})

function partsOf(
  name: SiteSecretName,
): readonly { readonly path: string; readonly mode: number }[] {
  if (name === 'k3s-token') return [{ path: SITE_SECRET_FILES['k3s-token'].key, mode: 0o600 }]
  const { certificate, key } = SITE_SECRET_FILES.ca
  return [
    { path: certificate, mode: 0o644 },
    { path: key, mode: 0o600 },
  ]
}
