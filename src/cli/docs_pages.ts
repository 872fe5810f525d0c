import { Document } from 'yaml'
import type { CommandShape } from '../core/command_shape.ts'
import { ERRORS } from '../core/errors.ts'
import { EVENT_FORMAT } from '../core/events.ts'
import type { AnyModule, Schema } from '../core/module.ts'
import { fsmPage } from './docs_fsm.ts'
import { page, table } from './docs_markdown.ts'
import { EVENT_DOCS } from './event_docs.ts'
import { JOURNAL_DOCS } from './journal_docs.ts'
import { EXIT_MEANINGS } from './exit_code.ts'
import { EXAMPLE_PLAYBOOK, EXAMPLE_TEMPLATE, REGISTERED_FIELDS } from './playbook_example.ts'
import { schemaRows } from './schema_rows.ts'

/** A page of the reference: its path below docs/, and its Markdown. */
export interface Page {
  readonly path: string
  readonly content: string
}

/** What the reference is printed from: schemas and tables that the program itself runs on. */
export interface Sources {
  readonly modules: readonly AnyModule[]
  readonly inventory: InventorySchemas
  readonly playbook: PlaybookSchemas
  readonly commands: readonly CommandShape[]
  /** What `twonode` does on a host. */
  readonly hostCommands: readonly CommandShape[]
}

export interface InventorySchemas {
  readonly oneSite: Schema
  readonly manySites: Schema
}

export interface PlaybookSchemas {
  readonly play: Schema
  readonly task: Schema
  readonly import: Schema
}

/** All pages, sorted by path: the same input gives the same bytes. */
export function docsPages(sources: Sources): readonly Page[] {
  const { modules, inventory, playbook, commands, hostCommands } = sources
  const sorted = modules.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const pages = [
    { path: 'modules/index.md', content: moduleIndex(sorted) },
    ...sorted.map((m) => ({ path: `modules/${m.name}.md`, content: modulePage(m) })),
    { path: 'inventory.md', content: inventoryPage(inventory) },
    { path: 'playbook.md', content: playbookPage(playbook) },
    { path: 'errors.md', content: errorsPage() },
    { path: 'cli.md', content: cliPage(commands) },
    { path: 'host.md', content: hostPage(hostCommands) },
    { path: 'events.md', content: eventsPage() },
    { path: 'fsm.md', content: fsmPage() },
  ]
  return pages.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** The list of modules. */
function moduleIndex(modules: readonly AnyModule[]): string {
  const rows = modules.map((m) => [`[${m.name}](${m.name}.md)`, m.doc.summary])
  return page('Modules', [table(['module', 'what it is'], rows)])
}

/** One module: what it is, its arguments, its examples as tasks. */
function modulePage({ name, doc, schema }: AnyModule): string {
  const examples = doc.examples.map(
    ({ title, args }) => `${title}:\n\n\`\`\`yaml\n${taskYaml(title, name, args)}\`\`\``,
  )
  return page(name, [
    doc.summary,
    ...(doc.notes === undefined ? [] : [doc.notes.trim()]),
    '## Arguments',
    schemaTable('argument', schema),
    '## Examples',
    ...examples,
    `Source: <${doc.source}>`,
  ])
}

/** Every key of the inventory. */
function inventoryPage({ oneSite, manySites }: InventorySchemas): string {
  return page('Inventory', [
    'An inventory holds one site, whose keys stand at the top level, or many below `sites`. Durations and sizes are texts with a unit: `"250ms"`, `"1s"`, `"5m"`, `"64MB"`.',
    '## One site',
    schemaTable('key', oneSite),
    '## Several sites',
    'Below each name in `sites` stand the keys of one site, but `name`. Host names are unique in the whole inventory.',
    schemaTable('key', manySites),
  ])
}

/** Every key of plays, tasks and imports. */
function playbookPage({ play, task, import: imports }: PlaybookSchemas): string {
  return page('Playbooks', [
    'A playbook is a list of plays. A play runs its tasks in order on the hosts it names; before each play the hosts wait for each other if anything was changed. A task has one module and its arguments beside the keys below.',
    'Texts are templates: `{{vars.NAME}}`, `{{host.address}}`, `{{peer.address}}`, `{{site.name}}`, `{{facts.memoryMb}}`, `{{item}}` and registered results, with `if`, `unless`, `each` and `with`. Conditions are CEL over the same names.',
    '## Example',
    `\`\`\`yaml\n${EXAMPLE_PLAYBOOK}\`\`\``,
    'Its template `motd.hbs`:',
    `\`\`\`text\n${EXAMPLE_TEMPLATE}\`\`\``,
    '`twonode plan FILE -i INVENTORY` says what is wrong with a playbook; `twonode converge FILE -i INVENTORY --check --diff` what it would do.',
    '## Registered result',
    table(
      ['field', 'meaning'],
      Object.entries(REGISTERED_FIELDS).map(([field, meaning]) => [`\`${field}\``, meaning]),
    ),
    '## Play',
    schemaTable('key', play),
    '## Task',
    schemaTable('key', task),
    '## Import',
    'Among plays it brings plays, among tasks it brings tasks.',
    schemaTable('key', imports),
  ])
}

function schemaTable(head: string, schema: Schema): string {
  const rows = schemaRows(schema).map(({ key, type, required, fallback, description }) => [
    `\`${key}\``,
    type,
    required ? 'required' : fallback === '' ? '' : `\`${fallback}\``,
    description,
  ])
  return rows.length === 0 ? 'None.' : table([head, 'type', 'default', 'meaning'], rows)
}

/** Exit codes and error codes. */
function errorsPage(): string {
  const exits = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => [code, meaning])
  const errors = Object.entries(ERRORS).map(([code, { exitCode, meaning, hint }]) => [
    `\`${code}\``,
    String(exitCode),
    meaning,
    hint,
  ])
  return page('Errors and exit codes', [
    'Error codes are stable: scripts may search for them. Several hosts or sites end with the worst of 5, 4, 3, 10, in that order.',
    '## Exit codes',
    table(['code', 'meaning'], exits),
    '## Errors',
    table(['error', 'exit', 'meaning', 'what to do'], errors),
  ])
}

/** Every command with its options. */
function cliPage(commands: readonly CommandShape[]): string {
  return page('Command line', [
    'Standard output holds what was asked for; errors go to standard error. Colour appears on a terminal only; `NO_COLOR` and `FORCE_COLOR` are honoured. What `twonode` does on a host is in [host.md](host.md).',
    ...commands.flatMap(commandSection),
  ])
}

/** What a host's own command line has. */
function hostPage(commands: readonly CommandShape[]): string {
  return page('Command line of a host', [
    "Run as root on a host of the pair, where a converge puts it to `/usr/local/bin/twonode`: `ssh h1 sudo twonode status`. It asks the agent of that host over a socket that is root's, and nobody over the network. All else is run from a laptop: [cli.md](cli.md).",
    'Exits of all: 3 also when no agent answers, 70 for a fault in twonode itself.',
    ...commands.flatMap(commandSection),
  ])
}

function commandSection(command: CommandShape): readonly string[] {
  const { name, brief, notes = [], arguments: args, options, exits, examples } = command
  const usage = [
    'twonode',
    name,
    ...args.map((a) => a.syntax),
    ...(options.length > 0 ? ['[options]'] : []),
  ]
  const rows = [
    ...args.map((a) => [`\`${a.syntax}\``, a.description]),
    ...options.map((o) => [
      `\`${o.flags}\``,
      `${o.description}${o.required === true ? ' Required.' : ''}`,
    ]),
  ]
  return [
    `## twonode ${name}`,
    brief,
    ...notes,
    `\`\`\`text\n${usage.join(' ')}\n\`\`\``,
    ...(rows.length === 0 ? [] : [table(['argument or option', 'meaning'], rows)]),
    `Exit codes: ${exits.map((code) => `${code} (${EXIT_MEANINGS[code]})`).join('; ')}.`,
    `\`\`\`sh\n${examples.join('\n')}\n\`\`\``,
  ]
}

/** The event stream of `--json`. */
function eventsPage(): string {
  const sections = Object.entries(EVENT_DOCS).flatMap(([name, { summary, fields }]) => [
    `## ${name}`,
    summary,
    table(
      ['field', 'meaning'],
      Object.entries(fields).map(([field, meaning]) => [`\`${field}\``, meaning]),
    ),
  ])
  return page('Events', [
    `With \`--json\` standard output holds one JSON object a line; \`event\` names its kind. This is format ${EVENT_FORMAT}: it is raised when a field changes its meaning; additions do not raise it, so ignore what you do not know. Secrets are masked.`,
    ...sections,
    "## The agents' accounts",
    'What `twonode timeline --json` prints: beside `at`, `host` and `text`, which is for people, each line has a `kind` and its fields.',
    table(
      ['kind', 'meaning'],
      Object.entries(JOURNAL_DOCS).map(([kind, meaning]) => [`\`${kind}\``, meaning]),
    ),
  ])
}

function taskYaml(title: string, module: string, args: unknown): string {
  return new Document([{ name: title, [module]: args }]).toString({ lineWidth: 0 })
}
