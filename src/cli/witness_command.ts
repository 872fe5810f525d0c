import type { CommandSpec } from './command.ts'
import { CONNECTION, INVENTORY } from './command_options.ts'

/** The third machine's part. */
export const WITNESS: CommandSpec = {
  name: 'witness',
  brief: 'Be the third party of sites with `partition: consistency`, or ask what it says.',
  notes: [
    '`show` is for a laptop: each host asks its witness anew and says what it keeps, whether it passes the trial, and what the host believes. No claim is changed. Two hosts that read different claims speak with two witnesses, of which each would let one win: exit 3, as of `twonode verify`, which asks the same.',
    '`serve` runs on a third machine that shares no power and no switch with the pair, and answers until Ctrl-C or SIGTERM. docs/operations.md has a unit for systemd.',
    'A claim is on the disk before its write is answered. Whoever can write to DIRECTORY, or shows the token, can decide who leads: give the token to the hosts of the pair, and to nobody else.',
  ],
  arguments: [
    {
      syntax: '<action>',
      description:
        '`serve`: keep claims, and answer for them. `init`: make a folder on a share one that claims are kept in. `show`: what both hosts read there.',
    },
    { syntax: '[directory]', description: 'For `init`: the folder.' },
  ],
  options: [
    { flags: '--listen <address>', description: 'ADDRESS:PORT, as `192.0.2.9:8623`.' },
    { flags: '--directory <path>', description: 'Folder of the claims; it is made.' },
    { flags: '--certificate <file>', description: 'PEM. With --key: HTTPS.' },
    { flags: '--key <file>', description: 'PEM of the private key.' },
    {
      flags: '--token-file <file>',
      description: 'What the hosts must show, as `token` in the inventory.',
    },
    {
      flags: '--site <name>',
      description:
        'Of serve: a site that may keep its claim here; default: any. Of show: only this site.',
      many: 'comma',
    },
    { ...INVENTORY, required: false, description: 'For `show`: your hosts and sites.' },
    { flags: '--json', description: 'Of show: one JSON object a host.' },
    ...CONNECTION,
  ],
  exits: [0, 2, 3, 4, 5, 130],
  examples: [
    'twonode witness show -i inventory.yaml',
    'twonode witness serve --listen 192.0.2.9:8623 --directory /var/lib/twonode-witness --certificate cert.pem --key key.pem --token-file token',
  ],
  load: async () => (await import('./witness.ts')).witness,
}
