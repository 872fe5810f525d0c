import { BUNDLE } from './bundle_command.ts'
import type { CommandSpec } from './command.ts'
import {
  CONNECTION,
  EXTRA_VARS,
  INVENTORY,
  JSON_EVENTS,
  LOCK_TIMEOUT,
  SELECTION,
  SITE,
  TAGS,
} from './command_options.ts'
import { PLANNED_WORK, REPLACE, ROTATE, SALVAGE } from './planned_work_commands.ts'
import { WITNESS } from './witness_command.ts'

/** All commands, in the order of `--help`. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'converge',
    brief: 'Bring the hosts to the declared state.',
    notes: [
      'Without PLAYBOOK it is `site.yaml` of the package: from bare Debian to a healthy pair.',
      'Both hosts of a site must be reachable, or nothing is changed; `--limit` goes on with one. Ctrl-C ends each host after its current change; a second Ctrl-C closes the connections, and the hosts end by themselves.',
    ],
    arguments: [
      { syntax: '[playbook]', description: 'A playbook; default: site.yaml of the package.' },
    ],
    options: [
      ...SELECTION,
      {
        flags: '-C, --check',
        description:
          'Say what would change, and change nothing. Exit 10 if anything would, or is unknown.',
      },
      {
        flags: '-D, --diff',
        description: 'Show the differences of files, and statements of SQL in full.',
      },
      TAGS,
      EXTRA_VARS,
      JSON_EVENTS,
      {
        flags: '--bundle <file>',
        description:
          'What `twonode bundle` made, in place of a playbook: nothing else is used, and nothing that is not signed.',
      },
      {
        flags: '--signer <fingerprint>',
        description: "With --bundle: whose it may be, beside the inventory's `allowedSigners`.",
      },
      { flags: '--list-tasks', description: 'List the tasks and end; opens no connection.' },
      { flags: '--list-hosts', description: 'List the hosts and end; opens no connection.' },
      ...CONNECTION,
      LOCK_TIMEOUT,
      {
        flags: '--allow-downgrade',
        description: 'Go on although a newer twonode converged the site before.',
      },
      {
        flags: '-v, --verbose',
        description: 'Also name the tasks that had nothing to do, and show SQL in full.',
      },
    ],
    exits: [0, 2, 3, 4, 5, 10, 75, 130],
    examples: [
      'twonode converge -i inventory.yaml --check --diff',
      'twonode converge -i inventory.yaml',
      'twonode converge -i inventory.yaml --bundle site.twonode',
      'twonode converge own.yaml -i inventory.yaml --limit h1 -e motd=hello',
    ],
    load: async () => (await import('./converge.ts')).converge,
  },
  BUNDLE,
  REPLACE,
  ROTATE,
  WITNESS,
  {
    name: 'plan',
    brief: 'Compile a playbook and print what it will do; opens no connection.',
    notes: [
      'Everything that `converge` would refuse is refused here. Warnings name what is legal and yet unwise, such as tasks without a name or commands that change something at each run.',
    ],
    arguments: [
      { syntax: '[playbook]', description: 'A playbook; default: site.yaml of the package.' },
    ],
    options: [
      INVENTORY,
      SITE,
      TAGS,
      EXTRA_VARS,
      { flags: '--json', description: 'The compiled plan as JSON, one line a site.' },
    ],
    exits: [0, 2],
    examples: ['twonode plan -i inventory.yaml', 'twonode plan own.yaml -i inventory.yaml --json'],
    load: async () => (await import('./plan.ts')).plan,
  },
  {
    name: 'run',
    brief: 'Run one module on the hosts, without a playbook.',
    arguments: [
      { syntax: '<module>', description: 'A module; `twonode docs` lists them.' },
      {
        syntax: '[args...]',
        description: 'Its arguments as NAME=VALUE; a value that begins with [ or { is YAML.',
      },
    ],
    options: [
      ...SELECTION,
      { flags: '-C, --check', description: 'Say what would change, and change nothing.' },
      {
        flags: '-D, --diff',
        description: 'Show the differences of files, and statements of SQL in full.',
      },
      EXTRA_VARS,
      JSON_EVENTS,
      ...CONNECTION,
      LOCK_TIMEOUT,
    ],
    exits: [0, 2, 3, 4, 5, 10, 75, 130],
    examples: [
      'twonode run systemd_unit name=kine.service state=restarted -i inventory.yaml --limit h2',
      'twonode run file path=/etc/motd content=hello mode=0644 -i inventory.yaml --check',
    ],
    load: async () => (await import('./run.ts')).run,
  },
  {
    name: 'verify',
    brief: 'Ask the real services whether the pair is healthy; changes nothing.',
    arguments: [],
    options: [
      ...SELECTION,
      JSON_EVENTS,
      ...CONNECTION,
      { flags: '-v, --verbose', description: 'Also name the checks that passed.' },
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: ['twonode verify -i inventory.yaml'],
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'status',
    brief: 'Roles, term, mode and services of each host in a table; changes nothing.',
    notes: [
      'The last line says how the pair stands: who leads, on how many disks writes are, and what to do where nobody serves or both lead; then the exit is 3.',
    ],
    arguments: [],
    options: [
      ...SELECTION,
      { flags: '--json', description: 'One JSON object a site.' },
      {
        flags: '-w, --watch',
        description: 'Look again every 2 s until Ctrl-C; on a terminal in place.',
      },
      ...CONNECTION,
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: [
      'twonode status -i inventory.yaml',
      'twonode status -i inventory.yaml --json',
      'twonode status -i inventory.yaml --watch',
    ],
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'timeline',
    brief: 'What the agents of both hosts decided and changed, in one account, oldest first.',
    notes: [
      "Times are each host's own; a host's lines stay in their order whatever its clock did.",
    ],
    arguments: [],
    options: [
      ...SELECTION,
      { flags: '--lines <number>', description: 'The newest lines of each host; default 100.' },
      { flags: '--json', description: 'One JSON object a line.' },
      ...CONNECTION,
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: ['twonode timeline -i inventory.yaml', 'twonode timeline -i inventory.yaml --json'],
    load: async () => (await import('./timeline.ts')).timeline,
  },
  ...PLANNED_WORK,
  SALVAGE,
  {
    name: 'facts',
    brief: 'What the hosts say of themselves: the `facts` of playbooks.',
    arguments: [],
    options: [
      ...SELECTION,
      { flags: '--json', description: 'One JSON object a site.' },
      ...CONNECTION,
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: ['twonode facts -i inventory.yaml --limit h1'],
    load: async () => (await import('./facts.ts')).facts,
  },
  {
    name: 'vars',
    brief: 'Which value a variable has on each host, and where it comes from; opens no connection.',
    arguments: [{ syntax: '[name]', description: 'Only this variable.' }],
    options: [
      ...SELECTION,
      {
        flags: '-p, --playbook <file>',
        description: 'Also the variables of this playbook; default: site.yaml of the package.',
      },
      EXTRA_VARS,
    ],
    exits: [0, 2],
    examples: [
      'twonode vars -i inventory.yaml',
      'twonode vars motd -i inventory.yaml --playbook own.yaml',
    ],
    load: async () => (await import('./vars.ts')).vars,
  },
  {
    name: 'docs',
    brief: 'The reference: modules, inventory, playbooks, errors, commands, events, operations.',
    arguments: [
      {
        syntax: '[topic]',
        description:
          'A module, or one of: inventory, playbook, errors, cli, host, events, fsm, operations.',
      },
    ],
    options: [
      { flags: '--write <folder>', description: 'Write all pages as Markdown below this folder.' },
      {
        flags: '--check <folder>',
        description:
          'Compare the pages below this folder with what would be written; exit 3 if they differ.',
      },
    ],
    exits: [0, 2, 3],
    examples: ['twonode docs', 'twonode docs replication_slot', 'twonode docs --write docs'],
    load: async () => (await import('./docs.ts')).docs,
  },
  {
    name: 'init',
    brief: 'Write a commented inventory, from flags or a few questions.',
    arguments: [{ syntax: '[file]', description: 'The file to write; default: inventory.yaml.' }],
    options: [
      { flags: '--name <name>', description: 'Name of the site; default: site.' },
      {
        flags: '--host <name=address>',
        description: 'One of the two hosts; give it twice.',
        many: 'comma',
      },
      { flags: '--user <name>', description: 'The user to log in as; default: root.' },
      { flags: '--virtual-ip <address/prefix>', description: 'Address that follows the leader.' },
      { flags: '--interface <name>', description: "The hosts' network interface; default: eth0." },
      {
        flags: '--gateway <address>',
        description: 'Address that tells "I am cut off" from "my peer is gone".',
      },
    ],
    exits: [0, 2],
    examples: [
      'twonode init',
      'twonode init edge.yaml --host h1=10.0.0.11 --host h2=10.0.0.12 --virtual-ip 10.0.0.10/24 --gateway 10.0.0.1',
    ],
    load: async () => (await import('./init.ts')).init,
  },
  {
    name: 'completion',
    brief: 'A completion script for your shell.',
    arguments: [{ syntax: '<shell>', description: 'bash, zsh or fish.' }],
    options: [],
    exits: [0, 2],
    examples: [
      'source <(twonode completion bash)',
      'twonode completion fish > ~/.config/fish/completions/twonode.fish',
    ],
    load: async () => (await import('./completion.ts')).completion,
  },
]
