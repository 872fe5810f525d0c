import type { CommandSpec } from './command.ts'
import {
  CONNECTION,
  EXTRA_VARS,
  INVENTORY,
  JSON_EVENTS,
  LOCK_TIMEOUT,
  SELECTION,
  SITE,
} from './command_options.ts'

/** Commands for work on a pair that is well. */
export const PLANNED_WORK: readonly CommandSpec[] = [
  {
    name: 'pause',
    brief: 'Nobody takes over, or hands over, by itself for a while: for work on the hosts.',
    notes: [
      'It ends by itself, so that nobody forgets it; asked again it begins anew. A leader that is cut off still stops, and one whose follower is gone goes on alone. `twonode status` shows until when. A pause that a person made by touching `.two-node-pause` in the state directory has no end.',
    ],
    arguments: [],
    options: [
      ...SELECTION,
      { flags: '--for <duration>', description: 'How long, 1s to 24h; default 1h.' },
      { flags: '--json', description: 'One JSON object a host.' },
      ...CONNECTION,
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: ['twonode pause -i inventory.yaml', 'twonode pause -i inventory.yaml --for 2h'],
    load: async () => (await import('./pause.ts')).pause,
  },
  {
    name: 'resume',
    brief: 'The end of a pause.',
    notes: [
      'An operator has looked, so that a pair that too many changes froze moves again as well. With one host down: `--limit` the other.',
    ],
    arguments: [],
    options: [
      ...SELECTION,
      { flags: '--json', description: 'One JSON object a host.' },
      ...CONNECTION,
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: ['twonode resume -i inventory.yaml', 'twonode resume -i inventory.yaml --limit h1'],
    load: async () => (await import('./pause.ts')).resume,
  },
  {
    name: 'switchover',
    brief: 'The leader hands over to its follower: no write is lost, nothing is copied.',
    notes: [
      'First the plan, or why it is refused: the follower is behind, copies, is paused or silent. Then the steps of both agents, and the proof: who leads in which term and branch, how long writes stood still by the clock of the new leader, the revision before and after. If anything fails half-way the old leader leads on.',
      'Ctrl-C leaves the agents to go on by themselves. On a host it is `twonode switchover`, on the one that leads.',
    ],
    arguments: [],
    options: [
      INVENTORY,
      SITE,
      {
        flags: '--to <host>',
        description: 'Who leads afterwards; if it does already nothing is done.',
      },
      {
        flags: '-C, --check',
        description: 'Say what would be done, or why not, and do nothing.',
      },
      {
        flags: '--though-paused',
        description: 'Also to a follower that an operator has paused.',
      },
      { flags: '--json', description: 'One JSON object a line: plan, steps, proof.' },
      ...CONNECTION,
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: [
      'twonode switchover -i inventory.yaml --check',
      'twonode switchover -i inventory.yaml --to h2',
    ],
    load: async () => (await import('./switchover.ts')).switchover,
  },
  {
    name: 'upgrade',
    brief: 'Kubernetes, PostgreSQL or the system on both hosts, for one short gap of writes.',
    notes: [
      'The follower first: both hosts are paused, its node is drained, its leader goes on alone where PostgreSQL or the host stops, it is worked on, and the pair must be whole and healthy again. Then the lead is handed over, and the other host has its turn. It stops at the first gate that does not open, with the pair serving; run again it looks what is done, and goes on.',
      'A version is the one that the inventory names, with its path or url: write it there first. `--keep-roles` works on the leader in its place, and nobody can write meanwhile. A major version of PostgreSQL comes to each host as a new cluster beside the old one, copied while the host follows: see docs/operations.md.',
    ],
    arguments: [],
    options: [
      INVENTORY,
      SITE,
      { flags: '--k3s <version>', description: 'k3s to this version, which the inventory names.' },
      {
        flags: '--kine <version>',
        description: 'kine to this version, which the inventory names.',
      },
      {
        flags: '--postgres-major <version>',
        description: "PostgreSQL's major version, which the inventory names: by a copy each.",
      },
      {
        flags: '--postgres-minor',
        description: "PostgreSQL's packages to the newest of its major version.",
      },
      { flags: '--packages', description: 'All packages that apt has an upgrade for.' },
      {
        flags: '--reboot',
        description:
          'Boot each host, unless it has booted within the last hour and got no packages since.',
      },
      { flags: '--keep-roles', description: 'Do not hand the lead over: writes wait meanwhile.' },
      {
        flags: '--drain-timeout <duration>',
        description: 'As of kubectl drain, up to 29m; default 5m.',
      },
      {
        flags: '--drain-force',
        description: 'As --force of kubectl drain: pods that nobody makes anew are deleted too.',
      },
      {
        flags: '-C, --check',
        description: 'Say what would be done, and do nothing. Exit 10 if there is anything.',
      },
      { flags: '--allow-downgrade', description: 'Go on to a version older than the one in use.' },
      { flags: '--json', description: 'One JSON object a line: plan, steps, gates.' },
      ...CONNECTION,
      LOCK_TIMEOUT,
    ],
    exits: [0, 2, 3, 4, 5, 10, 75, 130],
    examples: [
      'twonode upgrade -i inventory.yaml --k3s v1.34.2+k3s1 --check',
      'twonode upgrade -i inventory.yaml --postgres-minor --packages --reboot',
      'twonode upgrade -i inventory.yaml --postgres-major 17',
    ],
    load: async () => (await import('./upgrade.ts')).upgrade,
  },
]

/** What losing branches had. */
export const SALVAGE: CommandSpec = {
  name: 'salvage',
  brief: 'What the losing side of a partition had that the cluster has not.',
  notes: [
    'Each host is asked by its own `twonode salvage`, which reads what was saved there. `list` names the branches of both hosts; `show` and `diff` take one of them and its host. Nothing is changed from a laptop: `replay` and `discard` are done on that host.',
  ],
  arguments: [
    { syntax: '[action]', description: 'list (the default), show or diff.' },
    { syntax: '[branch]', description: 'Of show and diff: as `list` names it.' },
  ],
  options: [
    INVENTORY,
    SITE,
    { flags: '--host <name>', description: 'The host that is asked; default of list: both.' },
    { flags: '--json', description: 'One JSON object a line.' },
    ...CONNECTION,
  ],
  exits: [0, 2, 3, 4, 5, 130],
  examples: [
    'twonode salvage list -i inventory.yaml',
    'twonode salvage diff 5 -i inventory.yaml --host h2',
  ],
  load: async () => (await import('./salvage.ts')).salvage,
}

/** New keys. */
export const ROTATE: CommandSpec = {
  name: 'rotate',
  brief:
    'Give the hosts new keys and certificates, or a new token of k3s, one host after the other.',
  notes: [
    "`certificates`: each host gets new keys for PostgreSQL, replication, kine and its agent, under the site's authority, the follower first. Kubernetes goes on; the leader's kine starts anew once.",
    'With one host down: `--limit` names the other one, and the run is made again for the first when it is back. Its old certificates are good until they expire. A run that was cut goes on with `--since` and the time that it told.',
    "`token`: k3s' servers get a new token, the follower first; then the lead is handed over, and the other host has its turn. Until both have started with it the old token is good as well. With one host down `--limit` names the one that leads: it gets the new token without a restart, and the old one is good until the run is made again for both. A run that was cut is made again too, with another new token.",
  ],
  arguments: [{ syntax: '<what>', description: 'certificates or token.' }],
  options: [
    ...SELECTION,
    {
      flags: '--since <time>',
      description: 'Only what was issued before this time is made anew; default: all, now.',
    },
    {
      flags: '--token-file <path>',
      description: 'A token of your own, 16 to 256 letters, digits, _ and -; default: one is made.',
    },
    {
      flags: '-C, --check',
      description: 'Say what would change, and change nothing. Exit 10 if anything would.',
    },
    EXTRA_VARS,
    JSON_EVENTS,
    ...CONNECTION,
    LOCK_TIMEOUT,
  ],
  exits: [0, 2, 3, 4, 5, 10, 75, 130],
  examples: [
    'twonode rotate certificates -i inventory.yaml',
    'twonode rotate certificates -i inventory.yaml --limit h1',
    'twonode rotate token -i inventory.yaml',
  ],
  load: async () => (await import('./rotate.ts')).rotate,
}

/** Another machine in a host's place. */
export const REPLACE: CommandSpec = {
  name: 'replace',
  brief: 'Put another machine in the place of a host that is gone for good.',
  notes: [
    "The inventory has the new host in the place of the old one: under a name of its own, or under the same name for new hardware (`--host h2 --for h2`). The old one must be silent, and its peer must lead alone; that one's agent accepts the new host, which is then converged from bare Debian, copies the table and becomes the follower. Kubernetes goes on meanwhile.",
    'Cut anywhere and run again, it goes on where it was. `--accept-new-host-keys` is for the new host alone. A machine that belongs to another pair, or holds its data, is refused.',
  ],
  arguments: [],
  options: [
    INVENTORY,
    {
      flags: '--host <name>',
      description: 'The new host, as the inventory names it.',
      required: true,
    },
    {
      flags: '--for <name>',
      description: 'The host whose place it takes, which may have had the same name.',
      required: true,
    },
    {
      flags: '-C, --check',
      description: 'Say whether it could be replaced, and change nothing. Exit 10 if it could.',
    },
    { flags: '-y, --yes', description: 'Ask nothing: the old host is gone for good.' },
    {
      flags: '--timeout <duration>',
      description: 'How long the new host may take from its converge to a pair; default 10m.',
    },
    EXTRA_VARS,
    JSON_EVENTS,
    ...CONNECTION,
    LOCK_TIMEOUT,
    {
      flags: '-v, --verbose',
      description: 'Also name the tasks that had nothing to do, and show SQL in full.',
    },
  ],
  exits: [0, 2, 3, 4, 5, 10, 75, 130],
  examples: [
    'twonode replace -i inventory.yaml --host h2 --for h2 --check',
    'twonode replace -i inventory.yaml --host h3 --for h2',
  ],
  load: async () => (await import('./replace.ts')).replace,
}
