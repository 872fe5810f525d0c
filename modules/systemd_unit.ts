import type { Change } from '../src/core/change.ts'
import { NotYet } from '../src/core/errors.ts'
import type { FileStat, Observer, UnitState } from '../src/core/host.ts'
import { defineModule } from '../src/core/module.ts'
import type { Text } from '../src/core/secret.ts'
import { durationSchema } from './parts/duration.ts'
import { unitActions } from './parts/unit_actions.ts'
import { dropInPath, unitFileChanges, unitFolder, unitPath } from './parts/unit_files.ts'

/** What a task asks of a unit. */
export interface UnitArgs {
  readonly name: string
  /** The compiler has put the text of `template` here. */
  readonly content?: string
  readonly drop_ins: Readonly<Record<string, Text>>
  readonly state: 'none' | 'started' | 'stopped' | 'restarted' | 'reloaded'
  readonly if_running: boolean
  readonly wait: boolean
  readonly enabled?: boolean
  readonly masked?: boolean
  readonly timeout: string
}

/** What a host says of a unit. */
export interface UnitObservation {
  readonly unit: UnitState
  readonly file: ObservedFile
  readonly dropIns: Readonly<Record<string, ObservedFile>>
  /** The folder of the drop-ins is there. */
  readonly hasFolder: boolean
}

export interface ObservedFile {
  readonly stat: FileStat | undefined
  /** undefined: missing, or a link (a masked unit is one to /dev/null). */
  readonly content: string | undefined
}

export const systemdUnit = defineModule<UnitArgs, UnitObservation>({
  name: 'systemd_unit',
  doc: {
    summary: 'A unit of systemd: its file, its drop-ins, whether it runs, is enabled, is masked.',
    notes: [
      'The file is judged by `systemd-analyze verify` before it replaces the old one; systemd is reloaded once, and only if something changed.',
      '`restarted` and `reloaded` act each time: they are meant for handlers. A unit that must run, or be enabled, is unmasked first; one that failed is reset before it is started. When a start fails, its last journal lines are shown.',
    ].join('\n\n'),
    source: 'https://www.freedesktop.org/software/systemd/man/252/systemctl.html',
    examples: [
      {
        title: 'A service of our own',
        args: {
          name: 'hello.service',
          content:
            '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n',
          enabled: true,
          state: 'started',
        },
      },
      {
        title: "A drop-in for someone else's",
        args: {
          name: 'ssh.service',
          drop_ins: { 'limits.conf': '[Service]\nLimitNOFILE=65536\n' },
        },
      },
      {
        title: 'As a handler',
        args: { name: 'kine.service', state: 'restarted', if_running: true },
      },
      {
        title: 'Never',
        args: { name: 'unattended-upgrades.service', state: 'stopped', masked: true },
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
        pattern:
          '^[A-Za-z0-9:_.@\\\\-]+\\.(service|socket|target|timer|mount|path|slice|automount|swap)$',
        'x-form': 'the name of a unit with its suffix, such as kine.service',
        description: 'Unit, with its suffix.',
      },
      content: {
        type: 'string',
        minLength: 1,
        description: 'Text of the unit file in /etc/systemd/system.',
      },
      template: {
        type: 'string',
        'x-file': 'text',
        description: 'A file beside the playbook that is rendered to that text.',
      },
      drop_ins: {
        type: 'object',
        propertyNames: {
          pattern: '^[A-Za-z0-9_.-]+\\.conf$',
          'x-form': 'a name that ends in .conf',
        },
        additionalProperties: { type: 'string', minLength: 1, 'x-takes-secret': true },
        default: {},
        description: 'Further files, NAME.conf and its text. Others that are there stay.',
      },
      state: {
        type: 'string',
        enum: ['none', 'started', 'stopped', 'restarted', 'reloaded'],
        default: 'none',
        description: 'Whether it runs; `none` does not care.',
      },
      if_running: {
        type: 'boolean',
        default: false,
        description: 'With restarted and reloaded: leave a unit alone that does not run.',
      },
      wait: {
        type: 'boolean',
        default: true,
        description: 'With `started`: wait until it has started; else until systemd was told.',
      },
      enabled: { type: 'boolean', description: 'Whether it starts at boot. Default: as it is.' },
      masked: {
        type: 'boolean',
        description: 'Whether it can be started at all. Default: as it is.',
      },
      timeout: durationSchema('Bound of a start, stop, restart or reload.', '2m'),
    },
    not: { required: ['content', 'template'] },
    'x-form': 'given only one of content and template',
  },

  key: ({ name, content, drop_ins, state, enabled, masked }) => [
    ...(content === undefined ? [] : [`file:${unitPath(name)}`]),
    ...Object.keys(drop_ins).map((one) => `file:${dropInPath(name, one)}`),
    ...(state === 'started' || state === 'stopped' ? [`unit-state:${name}`] : []),
    ...(enabled === undefined ? [] : [`unit-enabled:${name}`]),
    ...(masked === undefined ? [] : [`unit-masked:${name}`]),
  ],

  async observe(host, args) {
    const { name, content, drop_ins } = args
    const unit = await host.batch.unit(name)
    if (unit.load === 'not-found' && content === undefined && needsUnit(args))
      throw new NotYet(`there is no unit ${name}`)
    const names = Object.keys(drop_ins)
    const [file, folder, ...files] = await Promise.all([
      observeFile(host, unitPath(name)),
      host.stat(unitFolder(name)),
      ...names.map((one) => observeFile(host, dropInPath(name, one))),
    ])
    return {
      unit,
      file,
      hasFolder: folder !== undefined,
      dropIns: Object.fromEntries(files.map((one, index) => [names[index], one])),
    }
  },

  refuse({ unit, file }, { name, content, state, enabled, masked }) {
    if (masked === true && content !== undefined)
      return `${name} can not be masked and have a file: the mask takes the file's place`
    if (masked === true && (enabled === true || state === 'started'))
      return `${name} can not be masked and ${state === 'started' ? 'started' : 'enabled'}`
    if (masked === true && file.content !== undefined)
      return `${unitPath(name)} is a file, and systemd masks by a link in its place: remove it first`
    if (enabled === true && isStatic(unit, content))
      return `${name} has no [Install] section: it can not be enabled`
    return undefined
  },

  diff(observed, args): readonly Change[] {
    const files = unitFileChanges(observed, args)
    return [
      ...unmasking(observed, args),
      ...files,
      ...unitActions(observed, args, files.length > 0),
    ]
  },

  settles: ({ state, wait }) =>
    state !== 'restarted' && state !== 'reloaded' && (state !== 'started' || wait),

  result: ({ unit }) => ({
    active: unit.active,
    sub: unit.sub,
    enabled: unit.enabled,
    load: unit.load,
    mainPid: unit.mainPid,
  }),
})

/** A unit that does not exist is stopped and disabled already. */
function needsUnit({ state, enabled, drop_ins, if_running }: UnitArgs): boolean {
  if ((state === 'restarted' || state === 'reloaded') && if_running) return false
  const runs = state !== 'none' && state !== 'stopped'
  return runs || enabled === true || Object.keys(drop_ins).length > 0
}

async function observeFile(host: Observer, path: string): Promise<ObservedFile> {
  const stat = await host.stat(path)
  return { stat, content: stat?.kind === 'file' ? await host.readFile(path) : undefined }
}

function isStatic(unit: UnitState, content: string | undefined): boolean {
  if (content !== undefined) return !/^\[Install\]/m.test(content)
  return unit.load === 'loaded' && unit.isStatic
}

/** What must run, be enabled or have a file can not stay masked, unless the task says so. */
function unmasking({ unit }: UnitObservation, args: UnitArgs): readonly Change[] {
  const { name, state, enabled, content } = args
  const mustBeFree =
    content !== undefined || enabled === true || (state !== 'none' && state !== 'stopped')
  const masked = args.masked ?? (mustBeFree ? false : undefined)
  if (masked !== false || unit.load !== 'masked') return []
  // A mask below /run ends at the next boot and is taken away separately.
  return [
    { kind: 'exec', argv: ['systemctl', 'unmask', name], timeoutMs: SYSTEMCTL_TIMEOUT_MS },
    {
      kind: 'exec',
      argv: ['systemctl', 'unmask', '--runtime', name],
      timeoutMs: SYSTEMCTL_TIMEOUT_MS,
    },
  ]
}

const SYSTEMCTL_TIMEOUT_MS = 30_000
