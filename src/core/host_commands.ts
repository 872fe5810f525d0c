import type { CommandShape, OptionSpec } from './command_shape.ts'

const JSON_LINES: OptionSpec = { flags: '--json', description: 'One JSON object a line.' }

/** A command that only asks, and is answered or told that nobody is there. */
const ASKED = [0, 2, 3] as const

/**
 * What `twonode` does on a host, as root, in the order of its `--help`: docs/host.md is printed from it, and
 * a laptop that is asked for one of these says where it runs.
 */
export const HOST_COMMANDS: readonly CommandShape[] = [
  {
    name: 'status',
    brief: 'What this host is, what it thinks of its peer, and why.',
    arguments: [],
    options: [JSON_LINES],
    exits: ASKED,
    examples: ['twonode status', 'twonode status --json'],
  },
  {
    name: 'timeline',
    brief: 'What both agents decided and changed, oldest first.',
    arguments: [],
    options: [
      { flags: '--own', description: 'Only what this one did: asks no peer.' },
      { flags: '--lines <number>', description: 'The newest lines; default 100, at most 5000.' },
      JSON_LINES,
    ],
    exits: ASKED,
    examples: ['twonode timeline', 'twonode timeline --own --lines 20'],
  },
  {
    name: 'pause',
    brief: 'This host neither promotes itself nor hands over by itself, until resumed.',
    notes: [
      'It ends by itself; asked again it begins anew. Fencing goes on, and a leader whose follower is gone goes on alone. From a laptop `twonode pause` tells both hosts.',
    ],
    arguments: [],
    options: [
      { flags: '--for <duration>', description: 'How long, 1s to 24h; default 1h.' },
      JSON_LINES,
    ],
    exits: ASKED,
    examples: ['twonode pause', 'twonode pause --for 2h'],
  },
  {
    name: 'resume',
    brief: 'The end of a pause, and of a stand-still after too many changes.',
    arguments: [],
    options: [JSON_LINES],
    exits: ASKED,
    examples: ['twonode resume'],
  },
  {
    name: 'switchover',
    brief: 'On the leader: hand over to the follower, by agreement and without a copy.',
    notes: [
      'The plan, or why it is refused; the steps of both agents; the proof. Ctrl-C leaves the agents to go on by themselves. If the follower fails half-way this host leads on. From a laptop `twonode switchover` finds the leader by itself.',
    ],
    arguments: [],
    options: [
      {
        flags: '--to <host>',
        description: 'Who leads afterwards; if it does already nothing is done.',
      },
      { flags: '-C, --check', description: 'Say what would be done, or why not, and do nothing.' },
      { flags: '--no-wait', description: 'End when it is begun.' },
      {
        flags: '--though-paused',
        description: 'Also to a follower that an operator has paused.',
      },
      JSON_LINES,
    ],
    exits: [0, 2, 3, 130],
    examples: ['twonode switchover --check', 'twonode switchover'],
  },
  {
    name: 'promote',
    brief: 'Lead: for a follower whose leader is gone, or a host that waits after a boot.',
    notes: [
      'Without `--force` only if the peer is gone, and by the proof that nothing acknowledged is missing here. With it whatever the peer does, even if it answers: the host says first what may be lost and what is known of the peer, and asks. Where both are well it is `twonode switchover`, which loses nothing.',
    ],
    arguments: [],
    options: [
      { flags: '--force', description: 'Lead whatever the peer may have that is not here.' },
      { flags: '-y, --yes', description: 'Ask nothing.' },
      JSON_LINES,
    ],
    exits: [0, 2, 3, 130],
    examples: ['twonode promote', 'twonode promote --force'],
  },
  {
    name: 'leave',
    brief: 'On the follower, before it stops: its leader goes on alone, so that no write waits.',
    notes: ['A boot ends it, and the end of the time, and `--end`.'],
    arguments: [],
    options: [
      { flags: '--for <duration>', description: 'How long, 1s to 2h; default 30m.' },
      { flags: '--end', description: 'It stays, or is back: the pair may be made again.' },
      JSON_LINES,
    ],
    exits: ASKED,
    examples: ['twonode leave', 'twonode leave --for 1h', 'twonode leave --end'],
  },
  {
    name: 'compare',
    brief: "On the leader: whether the follower's table is a copy, object by object.",
    arguments: [],
    options: [JSON_LINES],
    exits: ASKED,
    examples: ['twonode compare'],
  },
  {
    name: 'witness',
    brief: 'What the witness says now, and what this host believes; changes no claim.',
    notes: [
      'It is asked anew, and an HTTP server has to pass its trial again: two swaps that it has to take and two that it has to refuse, on an object beside the claim. From a laptop `twonode witness show` compares what both hosts read.',
    ],
    arguments: [{ syntax: '[action]', description: 'show.' }],
    options: [JSON_LINES],
    exits: ASKED,
    examples: ['twonode witness show'],
  },
  {
    name: 'salvage',
    brief: 'What losing branches of this host had that the cluster has not.',
    notes: [
      '`diff` compares with the cluster as it is now. `replay` is server-side apply: the API server tries all of it first, and if it refuses anything nothing is done; a deletion is done only when its object is named. `discard` settles a branch: its old table goes when the copy in its place is verified, its record stays. Both ask first.',
    ],
    arguments: [
      {
        syntax: '[action]',
        description: 'list (the default), show, diff, replay or discard.',
      },
      { syntax: '[branch]', description: 'Of all but `list`: as `list` names it.' },
    ],
    options: [
      {
        flags: '--all',
        description:
          'Of replay: all that is still missing, but deletions and what is made of others.',
      },
      {
        flags: '--object <name>',
        description: 'Of replay: as `diff` writes it, "Deployment default/web". Several times.',
        many: 'whole',
      },
      { flags: '--dry-run', description: 'Of replay: only ask the API server whether it would.' },
      {
        flags: '--force-conflicts',
        description: 'Of replay: also fields that somebody has set here meanwhile.',
      },
      { flags: '-y, --yes', description: 'Of replay and discard: ask nothing.' },
      JSON_LINES,
    ],
    exits: [0, 2, 3, 4, 5, 130],
    examples: [
      'twonode salvage list',
      'twonode salvage diff 5',
      'twonode salvage replay 5 --all --dry-run',
      'twonode salvage discard 5',
    ],
  },
  {
    name: 'replace',
    brief: 'On a leader that is alone: a new host takes the place of one that is silent for good.',
    notes: [
      'It lets the new host in. `twonode replace` on a laptop prepares and converges it, too.',
    ],
    arguments: [],
    options: [
      { flags: '--for <old>', description: 'The host that is gone.', required: true },
      {
        flags: '--host <name>',
        description: 'The new one; may have the same name.',
        required: true,
      },
      { flags: '--address <address>', description: 'Its IP address.', required: true },
      JSON_LINES,
    ],
    exits: ASKED,
    examples: ['twonode replace --for h2 --host h2 --address 192.0.2.12'],
  },
  {
    name: 'token',
    brief: 'On the leader: a join token, printed once, by which one new host gets in.',
    arguments: [
      { syntax: '<action>', description: 'create, list or revoke.' },
      { syntax: '[id]', description: 'Of revoke: as `list` shows it.' },
    ],
    options: [
      { flags: '--for <old>', description: 'Of create: whose place it is; default: the peer.' },
      { flags: '--ttl <duration>', description: 'Of create: valid for 1m to 168h; default 24h.' },
      JSON_LINES,
    ],
    exits: ASKED,
    examples: ['twonode token create', 'twonode token list', 'twonode token revoke 3f9c'],
  },
  {
    name: 'join',
    brief: 'On a prepared host: reads a join token from stdin, and gets in at its boot.',
    arguments: [],
    options: [
      { flags: '--host <name>', description: 'What this host is called.', required: true },
      { flags: '--address <address>', description: 'Its own IP address.', required: true },
      {
        flags: '--to <leader>',
        description: "ADDRESS or ADDRESS:PORT of the leader's agent; default port 8622.",
        required: true,
      },
    ],
    exits: ASKED,
    examples: ['twonode join --host h2 --address 192.0.2.12 --to 192.0.2.11 < token'],
  },
  {
    name: 'install',
    brief: 'This host becomes what a bundle on its own disk says; needs no network and no laptop.',
    notes: [
      'It is what `install.sh` runs when it has verified the bundle, with all options behind the bundle. On a host of the pair the bundle takes the place of what it had: an upgrade, or the way back from one. Install it on the follower first, then `twonode switchover`, then on the other one.',
      'A new host is told what it is to be: the first of a pair that never was, which leads alone, or one that joins the other one, for good or in the place of one that died.',
      'The two newest bundles are kept in `/opt/twonode/bundles`.',
    ],
    arguments: [],
    options: [
      { flags: '--host <name>', description: 'What this host is called; default: by its address.' },
      {
        flags: '--first',
        description: 'The first host that this site ever has. Refused when the other one answers.',
      },
      {
        flags: '--join',
        description: 'Ask the other host to be let in, with its join token on standard input.',
      },
      {
        flags: '--to <address>',
        description: "With --join: address of the leader; default: the other host's in the bundle.",
      },
      { flags: '--previous', description: 'Go back to the bundle that is kept beside this one.' },
      {
        flags: '--allow-downgrade',
        description: 'Go on although a newer twonode converged this host before.',
      },
    ],
    exits: [0, 2, 3, 5, 75, 130],
    examples: [
      'twonode install --first',
      'twonode install --join < token',
      'twonode install --previous',
    ],
  },
  {
    name: 'current',
    brief: 'Exits 0 when the agent goes by the site that is here, and hears its peer.',
    notes: ['A converge asks it after a new version; what is missing goes to standard error.'],
    arguments: [],
    options: [],
    exits: ASKED,
    examples: ['twonode current'],
  },
]
