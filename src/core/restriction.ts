import type { Schema } from './module.ts'

const texts = (description: string, pattern: string): Schema => ({
  type: 'array',
  items: { type: 'string', pattern },
  minItems: 1,
  uniqueItems: true,
  description,
})

/** What may be changed while a site has no redundancy. */
export interface Restriction {
  /** none: nothing ever was. removed: what an earlier converge made is taken away. */
  readonly use: 'none' | 'removed' | 'while-alone'
  readonly allow: readonly AllowedChange[]
  readonly breakGlassLabel: string
}

/** Changes that are let through. An entry that names no groups, verbs, namespaces or names has all of them. */
export interface AllowedChange {
  readonly groups?: readonly string[]
  /** With its subresource, if it has one: `deployments/scale`. */
  readonly resources: readonly string[]
  readonly verbs?: readonly ('create' | 'update' | 'delete')[]
  readonly namespaces?: readonly string[]
  readonly names?: readonly string[]
}

/** Of the module and of the inventory. */
export const ALLOWED_CHANGES: Schema = {
  type: 'array',
  maxItems: 64,
  description: 'Changes that are let through.',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['resources'],
    properties: {
      groups: texts('API groups; `""` is the core one. Default: all.', '^[a-z0-9.-]*$'),
      resources: texts(
        'Resources in the plural, with a subresource if it is one: `pods`, `deployments/scale`; `*` is all.',
        '^(\\*|[a-z0-9.-]+(/[a-z0-9-]+)?)$',
      ),
      verbs: {
        type: 'array',
        items: { type: 'string', enum: ['create', 'update', 'delete'] },
        minItems: 1,
        uniqueItems: true,
        description: 'What may be done to them. Default: all three. A patch is an update.',
      },
      namespaces: texts('Namespaces. Default: all, and what is in none.', '^[a-z0-9-]+$'),
      names: texts('Names of objects. Default: all.', '^[A-Za-z0-9._:-]+$'),
    },
  },
}

/**
 * A label's key.
 * @source https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
 */
export const LABEL_KEY: Schema = {
  type: 'string',
  pattern:
    '^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$',
}

export const BREAK_GLASS_LABEL = 'twonode.io/break-glass'

/** Whoever may change something may always. */
export const UNRESTRICTED: Restriction = {
  use: 'none',
  allow: [],
  breakGlassLabel: BREAK_GLASS_LABEL,
}
