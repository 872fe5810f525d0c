import type { CommandSpec } from './command.ts'

/** The third machine's part. */
export const WITNESS: CommandSpec = {
  name: 'witness',
  brief: 'Be the third party of sites with `partition: consistency`.',
  notes: [
    'Runs on a third machine that shares no power and no switch with the pair, and answers until Ctrl-C or SIGTERM. docs/operations.md has a unit for systemd.',
    'A claim is on the disk before its write is answered. Whoever can write to DIRECTORY, or shows the token, can decide who leads: give the token to the hosts of the pair, and to nobody else.',
  ],
  arguments: [
    {
      syntax: '<action>',
      description:
        '`serve`: keep claims, and answer for them. `init`: make a folder on a share one that claims are kept in.',
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
      description: 'A site that may keep its claim here; default: any.',
      many: 'comma',
    },
  ],
  exits: [0, 2, 4],
  examples: [
    'twonode witness serve --listen 192.0.2.9:8623 --directory /var/lib/twonode-witness --certificate cert.pem --key key.pem --token-file token',
  ],
  load: async () => (await import('./witness.ts')).witness,
}
