import type { Goal } from '../pair/facts.ts'
import { GOALS } from '../pair/goals.ts'
import { SETTLE_RETRY_MAX_MS, SETTLE_RETRY_MS } from '../pair/timing.ts'
import type { Clock } from './ports.ts'

interface Job {
  readonly goal: Goal
  /** An operator's word, which no other one ends. */
  readonly insists: boolean
  readonly stop: AbortController
  readonly done: Promise<void>
}

/** What begins when the less pressing has ended. */
interface Next {
  readonly goal: Goal
  readonly insists: boolean
  readonly work: Work
  readonly answer: (begun: boolean) => void
}

interface How {
  /** Whatever failed just now. */
  readonly atOnce?: boolean
  /** In the place of the same that waits for what an operator does without. */
  readonly insists?: boolean
  /** What does not wait for the less pressing to end. */
  readonly first?: () => void
}

/** True: it came to its end. False: it did not, and may be tried again. */
export type Work = (stop: AbortSignal) => Promise<boolean>

/** Time that a converge is given to end after its current change; the engine promises 3 s. */
const STOP_MS = 4000

/** Ranks above it are never put off: they are retried each round. */
const ROUTINE_RANK = 2

/** What the agent is doing: one thing at a time, and the more pressing ends the less pressing. */
export class Jobs {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #ended: () => void
  #job: Job | null = null
  #next: Next | null = null
  /** While something is waited for to end, so that another may begin. */
  #changing: Promise<void> | null = null
  #last: { readonly goal: Goal; readonly at: number } | null = null
  readonly #failures = new Map<Goal, { readonly count: number; readonly until: number }>()

  /** `ended` is called when the next round should come at once. */
  constructor(clock: Clock, intervalMs: number, ended: () => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#ended = ended
  }

  /**
   * False: something at least as pressing is under way, or it failed just now; it is not begun. Whoever
   * makes rounds must not wait for the answer: what it ends may take its time, and an agent without
   * rounds is silent to the guard (B9) and blind to the rest.
   */
  async begin(goal: Goal, work: Work, how: How = {}): Promise<boolean> {
    const { insists = false } = how
    const held = this.#failures.get(goal)?.until ?? 0
    if (how.atOnce !== true && held > this.#clock.now()) return false
    const running = this.#next ?? this.#job
    if (running === null) {
      this.#start({ goal, insists, work })
      return true
    }
    const replaces = insists && !running.insists && goal === running.goal
    if (!replaces && !endsWhat(goal, running.goal)) return false
    how.first?.()
    return await new Promise((answer) => {
      this.#next?.answer(false)
      this.#next = { goal, insists, work, answer }
      this.#changing ??= this.#change()
    })
  }

  /** Work for this goal, if it is under way or about to begin, is told to end, and not waited for. */
  cancel(goal: Goal): void {
    if (this.#job?.goal === goal) this.#job.stop.abort()
    if (this.#next?.goal !== goal) return
    this.#next.answer(false)
    this.#next = null
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#changing !== null || this.#job !== null) await (this.#changing ?? this.#job?.done)
  }

  /** Ends what is under way. */
  async end(): Promise<void> {
    this.#next?.answer(false)
    this.#next = null
    this.#job?.stop.abort()
    await this.idle()
  }

  /** What has not ended by then is ended by the urgent converge's own lock. */
  async #change(): Promise<void> {
    if (this.#job !== null) await this.#endOf(this.#job)
    const next = this.#next
    this.#next = null
    this.#changing = null
    if (next === null) return
    this.#start(next)
    next.answer(true)
  }

  #start({ goal, insists, work }: Omit<Next, 'answer'>): void {
    const stop = new AbortController()
    const startedAt = this.#clock.now()
    const done = work(stop.signal).then((ok) => {
      if (this.#job?.stop === stop) this.#job = null
      this.#count(goal, ok || stop.signal.aborted)
      // The same thing again and again waits for its round: else what fails at once would spin.
      const again = this.#last?.goal === goal && startedAt - this.#last.at < this.#intervalMs
      this.#last = { goal, at: startedAt }
      if (!again) this.#ended()
    })
    this.#job = { goal, insists, stop, done }
  }

  async #endOf(job: Job): Promise<void> {
    job.stop.abort()
    const over = new AbortController()
    await Promise.race([job.done, this.#clock.sleep(STOP_MS, over.signal)])
    over.abort()
  }

  #count(goal: Goal, ok: boolean): void {
    if (ok) this.#failures.delete(goal)
    // Settling has pauses of its own.
    else if (GOALS[goal].rank <= ROUTINE_RANK && goal !== 'settle') {
      const count = Math.min((this.#failures.get(goal)?.count ?? 0) + 1, 10)
      const pause = Math.min(SETTLE_RETRY_MS * 2 ** count, SETTLE_RETRY_MAX_MS)
      this.#failures.set(goal, { count, until: this.#clock.now() + pause })
    }
  }
}

/**
 * The more pressing ends the less pressing. What is converged for a hostMeta waits for nothing any more
 * when a higher one has come: a copy from a slot that is gone would last for minutes.
 */
function endsWhat(goal: Goal, running: Goal): boolean {
  const newer = goal === 'adopt' && running === 'adopt'
  return newer || GOALS[goal].rank > GOALS[running].rank
}
