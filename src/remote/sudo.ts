import { TwonodeError } from '../core/errors.ts'
import type { WireEnd } from './wire.ts'

/** Why sudo hangs, nine times of ten. */
export const SUDO_HANGS_HINT =
  "If the host's own name is not in its /etc/hosts, sudo waits for the resolver: add it there."

interface Start {
  readonly host: string
  readonly user: string
  readonly become: 'no' | 'sudo' | 'sudo-with-password'
}

interface StartFailure {
  /** Undefined: it still runs, and says nothing. */
  readonly end: WireEnd | undefined
  /** What it printed, errors first. */
  readonly said: string
}

/** sudo's words (LC_ALL is C.UTF-8), what they mean and what to do; first match wins. */
// oxfmt-ignore
const SUDO_WORDS: readonly { when: RegExp; means: string; hint: string }[] = [
  { when: /must have a tty/, means: 'sudo wants a terminal', hint: 'Put `Defaults:USER !requiretty` into the sudoers file.' },
  { when: /not in the sudoers file|may not run sudo/, means: 'the user has no sudo right', hint: 'Give the user sudo rights, or connect as root.' },
  { when: /is not allowed to (execute|run)/, means: 'the user may run some commands by sudo, but not this one', hint: 'twonode needs `ALL` (it runs /bin/sh as root), or connect as root.' },
  { when: /incorrect password|try again|no password was provided|authentication failure/i, means: 'sudo refused the password', hint: 'Give the right one; nothing was changed.' },
  { when: /a password is required|a terminal is required/, means: 'sudo asks for a password', hint: 'Pass --ask-sudo-password, or give the user NOPASSWD: ALL.' },
  { when: /sudo['’]?: (command )?not found|sudo['’]?: No such file/, means: 'there is no sudo', hint: 'Install sudo there, or connect as root.' },
  { when: /setuid root|no new privileges/, means: 'sudo can not become root', hint: 'sudo must belong to root and have the setuid bit.' },
]

/** The bootstrap script never said `start`. */
export function explainStartFailure(start: Start, { end, said }: StartFailure): TwonodeError {
  const { host, user, become } = start
  if (end === undefined) {
    const what = become === 'no' ? 'the log-in shell' : 'sudo'
    return new TwonodeError('E_SUDO', `${host}: ${what} has not answered within 30 s`, {
      hint: SUDO_HANGS_HINT,
      detail: said,
    })
  }
  const words = become === 'no' ? undefined : SUDO_WORDS.find(({ when }) => when.test(said))
  if (words !== undefined)
    return new TwonodeError('E_SUDO', `${host}: ${words.means} (user ${user})`, {
      hint: words.hint.replace('USER', user),
      detail: said,
    })
  // A shell that ends at once may be gone before sshd tells how: its words say that it was there.
  if (end.code === null && end.signal === null && said === '')
    return new TwonodeError('E_CONNECTION_LOST', `${host}: the connection broke at the start`)
  const how = end.signal ?? (end.code === null ? 'no exit code' : `exit code ${end.code}`)
  const message = `${host}: the shell of ${user} ended before it began (${how})`
  // Words that sudo did not say are the log-in shell's.
  if (become !== 'no' && /sudo/i.test(said))
    return new TwonodeError('E_SUDO', message, { detail: said })
  return new TwonodeError('E_FAILED', message, {
    hint: `Try \`ssh ${user}@HOST /bin/sh -c true\` by hand.`,
    detail: said,
  })
}
