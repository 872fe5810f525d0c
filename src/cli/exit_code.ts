import { EXIT, type ExitCode } from '../core/errors.ts'

/**
 * The worse first. 5, 4, 3, 10 is the promise for several hosts; around it: a bug of ours hides
 * nothing, an interrupt explains whatever failed after it, and a held lock explains its peer's end.
 */
const WORST_FIRST: readonly ExitCode[] = [
  EXIT.bug,
  EXIT.interrupted,
  EXIT.unsafe,
  EXIT.locked,
  EXIT.unreachable,
  EXIT.failed,
  EXIT.badInput,
  EXIT.wouldChange,
  EXIT.done,
]

/** The one exit code that stands for several. */
export function worstExit(codes: readonly ExitCode[]): ExitCode {
  return WORST_FIRST.find((code) => codes.includes(code)) ?? EXIT.done
}

/** What each exit code tells a script; docs/errors.md and docs/cli.md print it. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'done, or healthy',
  2: 'bad input: nothing was changed',
  3: 'a task failed, a host can not be used, `verify` found something unhealthy, or `status` found that nobody leads, or both do',
  4: 'a host could not be reached',
  5: 'unsafe to go on: the hosts or their versions contradict each other; nothing more was changed',
  10: '`--check`: something would change, or is unknown',
  70: 'a fault in twonode itself',
  75: 'another converge holds the lock of a host',
  130: 'interrupted',
}
