import { dirname } from 'node:path'
import { NotYet } from '../../src/core/errors.ts'
import { type AnyModule, defineModule } from '../../src/core/module.ts'

const ROOT = { owner: 'root', group: 'root' } as const

/** Modules small enough to be seen through, one for each thing that the engine treats apart. */
export const MODULES: readonly AnyModule[] = [
  /** Content of a file, and NotYet while its directory is missing. */
  defineModule<{ path: string; content: string }, { before: string | undefined }>({
    ...described('text'),
    key: ({ path }) => [`file:${path}`],
    async observe(host, { path }) {
      if ((await host.stat(dirname(path))) === undefined)
        throw new NotYet(`${dirname(path)} does not exist`)
      return { before: await host.readFile(path) }
    },
    diff: ({ before }, { path, content }) =>
      before === content ? [] : [{ kind: 'write', path, content, mode: 0o644, ...ROOT, before }],
    result: ({ before }) => ({ content: before ?? null }),
  }),
  defineModule<{ path: string }, { there: boolean }>({
    ...described('folder'),
    key: ({ path }) => [`file:${path}`],
    observe: async (host, { path }) => ({ there: (await host.stat(path)) !== undefined }),
    diff: ({ there }, { path }) =>
      there ? [] : [{ kind: 'directory', path, mode: 0o755, ...ROOT }],
  }),
  defineModule<{ path: string }, { there: boolean }>({
    ...described('absent'),
    key: ({ path }) => [`file:${path}`],
    observe: async (host, { path }) => ({ there: (await host.stat(path)) !== undefined }),
    diff: ({ there }, { path }) => (there ? [{ kind: 'remove', path, recursive: true }] : []),
  }),
  /** An action: it always acts, and leaves nothing to look at. */
  defineModule<{ words: string; changed_when?: string }, null>({
    ...described('shout'),
    key: () => [],
    observe: async () => null,
    diff: (_, { words }) => [{ kind: 'exec', argv: ['shout', words], timeoutMs: 1_000 }],
    settles: () => false,
    verdict: (outcome, { changed_when: changed }, evaluate) => ({
      changed: changed === undefined || evaluate(changed, { stdout: outcome.stdout }) === true,
    }),
  }),
  /** A change that does not take. */
  defineModule<{ path: string }, null>({
    ...described('stubborn'),
    key: () => [],
    observe: async () => null,
    diff: (_, { path }) => [{ kind: 'remove', path, recursive: false }],
  }),
  /** Reads, and refuses what it does not like. */
  defineModule<{ path: string; must_hold?: string }, { content: string | undefined }>({
    ...described('claim'),
    key: () => [],
    observe: async (host, { path }) => ({ content: await host.readFile(path) }),
    refuse: ({ content }, { path, must_hold: wanted }) =>
      wanted === undefined || content === wanted ? undefined : `${path} does not say ${wanted}`,
    diff: () => [],
    result: ({ content }) => ({ content: content ?? null }),
  }),
]

function described(name: string): Pick<AnyModule, 'name' | 'doc' | 'schema'> {
  return { name, doc: { summary: name, source: '', examples: [] }, schema: { type: 'object' } }
}
