import type { OptionSpec } from '../core/command_shape.ts'

/** The inventory, without which no host is known. */
export const INVENTORY: OptionSpec = {
  flags: '-i, --inventory <file>',
  description: 'The inventory: your hosts and sites.',
  required: true,
}

/** Some sites of many. */
export const SITE: OptionSpec = {
  flags: '--site <name>',
  description: 'Only this site of the inventory. May be given several times.',
  many: 'comma',
}

/** Some hosts of a site. */
const LIMIT: OptionSpec = {
  flags: '-l, --limit <hosts>',
  description: 'Only these hosts, separated by commas. What needs the other host is reported.',
  many: 'comma',
}

/** Variables of the command line. */
export const EXTRA_VARS: OptionSpec = {
  flags: '-e, --extra-vars <name=value>',
  description: 'A variable above all others, or @FILE with a YAML map. May be given several times.',
  many: 'whole',
}

/** Some tasks of a playbook. */
export const TAGS: OptionSpec = {
  flags: '-t, --tags <tags>',
  description: 'Only tasks with one of these tags, separated by commas.',
  many: 'comma',
}

/** Events for programs. */
export const JSON_EVENTS: OptionSpec = {
  flags: '--json',
  description: 'One JSON object a line on standard output: see docs/events.md.',
}

/** How hosts are reached. */
export const CONNECTION: readonly OptionSpec[] = [
  {
    flags: '--accept-new-host-keys',
    description:
      'Accept and remember the key of a host that is not in known_hosts. Never a changed one.',
  },
  {
    flags: '--ask-sudo-password',
    description: 'Ask once for the password that sudo on the hosts wants.',
  },
]

/** How long another converge is waited for. */
export const LOCK_TIMEOUT: OptionSpec = {
  flags: '--lock-timeout <duration>',
  description: 'How long to wait for another converge of a host; default 30s.',
}

/** Which hosts. */
export const SELECTION = [INVENTORY, SITE, LIMIT]
