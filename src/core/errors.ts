import type { Place } from './place.ts'

/** Process exit codes, for every command. docs/errors.md prints this table. */
export const EXIT = {
  done: 0,
  badInput: 2,
  failed: 3,
  unreachable: 4,
  unsafe: 5,
  wouldChange: 10,
  bug: 70,
  locked: 75,
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Everything a thrown error says, as plain data: it crosses the wire from runner to laptop. */
export interface Trouble {
  readonly code: `E_${string}`
  readonly exitCode: ExitCode
  readonly message: string
  readonly hint: string
  readonly place?: Place
  /** Whole stderr or other detail; shown below the message, never parsed. */
  readonly detail?: string
}

/**
 * Base of every error thrown on purpose. Anything else that reaches main() is a bug: exit 70.
 * `code` is stable and greppable, listed in docs/errors.md; `hint` says what to do next.
 */
export class TwonodeError extends Error {
  override readonly name = 'TwonodeError'
  readonly code: `E_${string}`
  readonly exitCode: ExitCode
  readonly hint: string
  readonly place: Place | undefined
  readonly detail: string | undefined

  constructor(kind: ErrorKind, message: string, more: ErrorDetail = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    const { exitCode, hint } = ERRORS[kind]
    this.code = kind
    this.exitCode = exitCode
    this.hint = more.hint ?? hint
    this.place = more.place
    this.detail = more.detail
  }

  toTrouble(): Trouble {
    const { code, exitCode, message, hint, place, detail } = this
    return {
      code,
      exitCode,
      message,
      hint,
      ...(place === undefined ? {} : { place }),
      ...(detail === undefined ? {} : { detail }),
    }
  }
}

export interface ErrorDetail {
  /** Replaces the kind's own hint when the place knows better. */
  readonly hint?: string
  readonly place?: Place
  readonly detail?: string
  readonly cause?: unknown
}

/** Several problems found in one pass: a user fixes them in one go. */
export class Refusals extends Error {
  override readonly name = 'Refusals'
  readonly exitCode = EXIT.badInput
  readonly all: readonly TwonodeError[]

  constructor(all: readonly TwonodeError[]) {
    super(all.map((e) => e.message).join('\n'))
    this.all = all
  }
}

/**
 * An observation that can't be made yet because what it looks at does not exist: a missing binary,
 * user, directory, socket or database. The engine turns it into *unknown* when an earlier step on the
 * same host will change something, and into a failure when none will.
 */
export class NotYet extends Error {
  override readonly name = 'NotYet'
}

/** Error codes: append only, never reworded in meaning once released. */
// oxfmt-ignore
export const ERRORS = {
  E_YAML: { exitCode: 2, meaning: 'A YAML file can not be read as YAML, or holds a value that YAML reads otherwise than it looks.', hint: 'Fix the file at the place named.' },
  E_INVENTORY: { exitCode: 2, meaning: 'The inventory breaks its schema or a rule of the pair.', hint: 'Fix the inventory at the place named; `twonode docs inventory` lists every key.' },
  E_PLAYBOOK: { exitCode: 2, meaning: 'A playbook has an unknown key, module, handler, tag or host, or a wrong type.', hint: 'Fix the playbook at the place named; `twonode docs` lists the modules.' },
  E_ARGUMENT: { exitCode: 2, meaning: 'A module was given an argument that its schema refuses.', hint: 'See `twonode docs MODULE` for the arguments.' },
  E_VARIABLE: { exitCode: 2, meaning: 'A name is used that is defined nowhere.', hint: 'Define it in the inventory or the playbook, or pass -e NAME=VALUE; `twonode vars` shows what is defined.' },
  E_TEMPLATE: { exitCode: 2, meaning: 'A Handlebars template can not be parsed, or uses what is not allowed.', hint: 'Templates know {{name}}, if, unless, each and with, and nothing else.' },
  E_EXPRESSION: { exitCode: 2, meaning: 'A CEL expression can not be parsed or checked.', hint: 'Expressions are CEL: ==, &&, ||, !, in, size(), has().' },
  E_OWNED_TWICE: { exitCode: 2, meaning: 'Two tasks of one host manage the same object: they would fight for ever.', hint: 'Merge the two tasks, or give each a `when` so that only one runs.' },
  E_SECRET: { exitCode: 2, meaning: 'A secret can not be read, or is too short to be kept out of the output.', hint: 'Check the file, variable or command that the !secret names.' },
  E_FILE: { exitCode: 2, meaning: 'A file named on the command line, in the inventory or in a playbook can not be read.', hint: 'Check the path; relative paths start at the file that names them.' },
  E_USAGE: { exitCode: 2, meaning: 'The command line is wrong.', hint: 'See `twonode --help`.' },
  E_KEY: { exitCode: 2, meaning: 'A private key can not be read or decrypted.', hint: 'Check the path and the passphrase, or add the key to ssh-agent.' },
  E_COMMAND_FAILED: { exitCode: 3, meaning: 'A command on the host exited non-zero.', hint: 'Run it on the host by hand, then run the converge again: that is safe.' },
  E_COMMAND_TIMEOUT: { exitCode: 3, meaning: 'A command on the host ran longer than its bound and was ended.', hint: 'Look at what it waits for on the host, then run the converge again: that is safe.' },
  E_MISSING: { exitCode: 3, meaning: 'Something that the task needs does not exist on the host, and no earlier task will make it.', hint: 'Add a task that installs it before this one.' },
  E_NOT_CONVERGED: { exitCode: 3, meaning: 'After the change was applied the host still differs from what was asked.', hint: 'Something else on the host changes it back, or the value is normalised: compare the two shown.' },
  E_CHANGED_MEANWHILE: { exitCode: 3, meaning: 'A file changed between being read and being replaced.', hint: 'Find who else writes it, then run the converge again.' },
  E_INVALID_CONTENT: { exitCode: 3, meaning: 'The new content of a file was refused by its validator; the old file still stands.', hint: 'Fix the content; the validator\'s words are shown.' },
  E_SQL: { exitCode: 3, meaning: 'PostgreSQL refused a statement.', hint: 'Read the message; run the converge again when it is fixed: that is safe.' },
  E_FILESYSTEM: { exitCode: 3, meaning: 'The host could not write a file: full disk, read-only file system, or a missing directory.', hint: 'Free space or remount, then run the converge again: that is safe.' },
  E_DOWNLOAD: { exitCode: 3, meaning: 'An artifact could not be fetched, or its checksum differs.', hint: 'Check the URL and the checksum; the host keeps what it had.' },
  E_FAILED: { exitCode: 3, meaning: 'A task failed: an assertion, a condition of its own, or a wait that ran out.', hint: 'Read the message; run the converge again when it is fixed: that is safe.' },
  E_SUDO: { exitCode: 3, meaning: 'sudo on the host refuses, asks for a password that was not given, or hangs.', hint: 'Give the user sudo rights, or pass --ask-sudo-password; check that the host\'s own name is in /etc/hosts.' },
  E_UNHEALTHY: { exitCode: 3, meaning: '`verify` found something that is not as it must be.', hint: 'Each line says what; `twonode converge` mends what is configuration.' },
  E_UNREACHABLE: { exitCode: 4, meaning: 'No connection to the host.', hint: 'Check that it is up and that ssh to it works by hand.' },
  E_HOST_KEY: { exitCode: 4, meaning: 'The host\'s key is unknown, changed or revoked.', hint: 'Compare the fingerprint with the host\'s console; --accept-new-host-keys accepts unknown keys only.' },
  E_AUTH: { exitCode: 4, meaning: 'The host refused every key that was offered.', hint: 'Check user, identityFile and ssh-agent; `ssh -v` shows what is offered.' },
  E_CONNECTION_LOST: { exitCode: 4, meaning: 'The connection broke during the run. The host ends by itself after its current change.', hint: 'Run the converge again: it goes on where it stopped.' },
  E_TWO_AUTHORITIES: { exitCode: 5, meaning: 'The two hosts hold different site CAs or tokens.', hint: 'After `twonode rotate token` with one host down, or one that was cut: run it again for both. Otherwise one of the hosts belongs to another site, or was set up apart: find out which, and move its /etc/twonode/pki away.' },
  E_ROLES: { exitCode: 5, meaning: 'The two hosts disagree about who leads, or hold another site\'s hostMeta.', hint: 'Look at `twonode status`; a converge never changes roles, `twonode switchover` does.' },
  E_DOWNGRADE: { exitCode: 5, meaning: 'The site was converged by a newer twonode.', hint: 'Use that version, or pass --allow-downgrade.' },
  E_BUNDLE: { exitCode: 5, meaning: 'The plan was compiled by another bundle than the one that got it.', hint: 'Run the converge again with one version of twonode.' },
  E_SITE_FILE: { exitCode: 5, meaning: 'The compiled site that a host keeps, or its secrets, can not be read: torn, edited, or of another version.', hint: 'Run `twonode converge` from a laptop: it writes both anew.' },
  E_REPLACEMENT: { exitCode: 5, meaning: 'A host can not be replaced as things are: its peer does not lead alone, it is not silent, or the new one belongs to another pair.', hint: 'Look at `twonode status`; nothing was changed.' },
  E_SALVAGE: { exitCode: 5, meaning: 'What was saved of a losing branch can not be used: it is torn, of another site, or there is none of that name.', hint: '`twonode salvage list` shows what is on this host.' },
  E_POSTGRES_MAJOR: { exitCode: 5, meaning: 'PostgreSQL of a host serves with another major version than the inventory has, and no converge changes that.', hint: '`twonode upgrade --postgres-major` brings the other one, one host after the other; or write the old one back into the inventory.' },
  E_LOCKED: { exitCode: 75, meaning: 'Another converge holds the lock of the host.', hint: 'Wait for it, or look at the process named.' },
  E_INTERRUPTED: { exitCode: 130, meaning: 'The run was interrupted; each host ended after its current change.', hint: 'Run the converge again: it goes on where it stopped.' },
  E_BUG: { exitCode: 70, meaning: 'A fault in twonode itself.', hint: 'Please report it with the lines above.' },
  E_SITE_BUNDLE: { exitCode: 2, meaning: 'A site\'s bundle is not whole, not signed by who is allowed to, or not for this site or host.', hint: 'Copy it again, or make it again with `twonode bundle`; nothing was installed.' },
} as const satisfies Record<`E_${string}`, { exitCode: ExitCode; meaning: string; hint: string }>

export type ErrorKind = keyof typeof ERRORS

/** What a thrown value says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The same where only one line has room: parsers say what they expected on further ones. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? ''
}

/** Any thrown value as data: ours keep their code, everything else is a bug of ours. */
export function toTrouble(error: unknown): Trouble {
  if (error instanceof TwonodeError) return error.toTrouble()
  const detail = error instanceof Error ? error.stack : undefined
  const more = detail === undefined ? {} : { detail }
  return new TwonodeError('E_BUG', messageOf(error), more).toTrouble()
}
