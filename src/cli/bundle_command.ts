import type { CommandSpec } from './command.ts'
import { EXTRA_VARS, INVENTORY, SITE } from './command_options.ts'

/** A site in one file, for hosts without a network. */
export const BUNDLE: CommandSpec = {
  name: 'bundle',
  brief: 'Put all that a site needs into one signed file, for hosts without a network.',
  notes: [
    'It holds the compiled playbook, twonode and its runtime, kine, k3s, the files of the playbook and the Debian packages with all that they need; no secret, and no key. Beside it lie its signature and `install.sh`, which verifies before it unpacks or runs anything. The same inputs give the same bytes.',
    "Debian packages come from this machine's own apt, as for a host that has nothing: make it on a machine with the hosts' release, or name a folder that holds them.",
    'It is signed by `ssh-keygen` with a key of yours, of ssh-agent or of a piece of hardware. Compare the fingerprint that is printed with the one that a host asks for.',
  ],
  arguments: [
    { syntax: '[playbook]', description: 'A playbook; default: site.yaml of the package.' },
  ],
  options: [
    INVENTORY,
    SITE,
    EXTRA_VARS,
    {
      flags: '-o, --output <file>',
      description: 'The bundle; default: SITE.twonode in this folder.',
    },
    {
      flags: '--key <file>',
      description:
        'What signs it: a private key, or the .pub of one that ssh-agent holds; default: ~/.ssh/id_ed25519.',
    },
    {
      flags: '--packages <folder>',
      description: "Debian packages to put in, in place of those that this machine's apt fetches.",
    },
    { flags: '--json', description: 'One JSON object: file, sha256, size, signer.' },
  ],
  exits: [0, 2, 3],
  examples: [
    'twonode bundle -i inventory.yaml -o shop-12.twonode',
    'twonode bundle -i inventory.yaml --packages ./debs --key ~/.ssh/release.pub',
  ],
  load: async () => (await import('./bundle.ts')).bundle,
}
