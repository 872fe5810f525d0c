/** What docs/events.md says of the lines of an agent's account; a test holds it to the agent. */
export const JOURNAL_DOCS = {
  decision: 'A rule of docs/fsm.md came to apply: `rule`, `goal`, `why`, `term`, and the `facts`.',
  meta: 'hostMeta was written: `term`, `branch`, `mode`, `leader`.',
  converge:
    'role.yaml was converged: `tags`, `outcome` (`done`, `failed`, `locked`, `stopped`), `ms`, and the `message` of a failure.',
  proof: 'promotable.json was written: `term` that is proven, and the highest that is `voided`.',
  claim:
    'The claim was asked for at the witness: by which `row`, and the `term`, `holder` and `mode` it is to have. Who won it is told by hostMeta.',
  'power-off':
    'An attempt to power the other host off has ended, by which `row`, after `ms`: `proven`, or why not, in `words`.',
  newcomer: 'A host got in by a join token: `name`, `address`, `token`.',
  'set-aside':
    "A table of another history was moved to `schema`, for the reason `why`. `led`: the `branch` and `mode` in which this host led until then, `since` when or earlier; null: not known. In mode alone it holds acknowledged writes that the cluster does not have. A laptop's converge that moves one writes no such line.",
  pause:
    '`paused`: an operator paused this host, `for` so long, or resumed it; `by` `expiry`: nobody did, and its time has passed.',
  loss: 'A host was promoted without the proof that it has everything: it was `lagBytes` behind when its leader was last heard, `heardAgoMs` before; null: not known.',
  leave: 'A follower was told that it stops soon, `for` so long, or that it stays after all.',
  agent:
    '`what`: `started`, `booted` (the first since the boot) or `ended`; `seconds` since the boot. One that was killed writes no end.',
  salvage:
    'What a losing branch had of its own: `saved`, `verified` (the copy in its place is whole), `replayed`, `discarded` or `forgotten`, in `words`.',
  guard: 'No agent was heard for the fence time: the guard `stopped` kine then.',
  room: 'How much room is left on the disk: `room` (`ok`, `low`, `tight`, `full`), `freeBytes`, `keptBytes` of WAL for the follower, `bytesPerSecond` written.',
  fault: 'Something went wrong: `what` with, and the `message`.',
} as const
