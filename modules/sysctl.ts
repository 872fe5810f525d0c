import type { Change } from '../src/core/change.ts'
import { NotYet } from '../src/core/errors.ts'
import { defineModule } from '../src/core/module.ts'

interface Args {
  readonly name: string
  readonly value?: string
  readonly file?: string
  readonly state: 'present' | 'absent'
}

interface State {
  /** What the kernel says; undefined: it knows no such setting. */
  readonly live: string | undefined
  /** The text of the file that sets it at boot. */
  readonly stored: string | undefined
}

/** Part of systemd: applies a file of settings without procps, which a bare Debian lacks. */
const APPLIER = '/lib/systemd/systemd-sysctl'

const TIMEOUT_MS = 30_000

export const sysctl = defineModule<Args, State>({
  name: 'sysctl',
  doc: {
    summary: 'A setting of the kernel, now and at every boot.',
    notes:
      'It has a file of its own below `/etc/sysctl.d`. `absent` removes that file; the live value stays until the next boot.',
    source: 'https://www.freedesktop.org/software/systemd/man/252/systemd-sysctl.service.html',
    examples: [
      { title: 'Forward packets', args: { name: 'net.ipv4.ip_forward', value: '1' } },
      { title: 'No longer set by us', args: { name: 'vm.swappiness', state: 'absent' } },
    ],
  },
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[a-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)+$',
        'x-form': 'a setting such as net.ipv4.ip_forward',
        description: "The setting. With a dot in an interface's name write slashes.",
      },
      value: {
        type: 'string',
        minLength: 1,
        pattern: '^[^\\n]+$',
        'x-form': 'one line, quoted',
        description: 'Its value, quoted.',
      },
      file: {
        type: 'string',
        pattern: '^/etc/sysctl\\.d/[^/]+\\.conf$',
        'x-form': 'a .conf file in /etc/sysctl.d',
        description:
          'The file that holds it and nothing else. Default: /etc/sysctl.d/60-NAME.conf.',
      },
      state: {
        type: 'string',
        enum: ['present', 'absent'],
        default: 'present',
        description: 'Whether we set it.',
      },
    },
    if: { properties: { state: { const: 'present' } } },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { required: ['value'] },
  },

  key: (args) => [`sysctl:${args.name.replaceAll('/', '.')}`, `file:${fileOf(args)}`],

  async observe(host, args) {
    const [live, stored] = await Promise.all([
      host.readFile(
        `/proc/sys/${args.name.includes('/') ? args.name : args.name.replaceAll('.', '/')}`,
      ),
      host.readFile(fileOf(args)),
    ])
    if (live === undefined && args.state === 'present')
      throw new NotYet(`the kernel knows no setting ${args.name}; a module may bring it`)
    return { live: live === undefined ? undefined : words(live), stored }
  },

  diff(state, args): readonly Change[] {
    const path = fileOf(args)
    if (args.state === 'absent')
      return state.stored === undefined ? [] : [{ kind: 'remove', path, recursive: false }]
    const value = args.value ?? ''
    const content = `${args.name} = ${value}\n`
    const write: readonly Change[] =
      state.stored === content
        ? []
        : [{ kind: 'write', path, content, ...ROOT_FILE, before: state.stored }]
    const apply: readonly Change[] =
      state.live === words(value)
        ? []
        : [{ kind: 'exec', argv: [APPLIER, path], timeoutMs: TIMEOUT_MS }]
    return [...write, ...apply]
  },

  result: ({ live }) => ({ value: live ?? null }),
})

const ROOT_FILE = { mode: 0o644, owner: 'root', group: 'root' } as const

function fileOf({ name, file }: Args): string {
  return file ?? `/etc/sysctl.d/60-${name.replaceAll(/[./]/g, '-')}.conf`
}

/** The kernel separates several numbers by tabs. */
function words(text: string): string {
  return text.trim().split(/\s+/).join(' ')
}
