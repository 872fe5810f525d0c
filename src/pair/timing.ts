import { fenceAndPromote, type LivenessSettings } from '../core/site.ts'

/**
 * Every duration of the agent that follows from the inventory. All of them are measured on
 * CLOCK_BOOTTIME.
 *
 * The timer law: a leader that is cut off from everything has stopped before its follower leads.
 *
 *     fence   = (failures − 1) × interval, counted by the leader from the *sending* of the last
 *               probe that was answered
 *     promote = failures × interval, counted by the follower from the *arrival* of the last answer,
 *               or of the leader's own last question to its agent; and not before
 *               (failures − 1) × interval + probeTimeout after the beginning of the first look since
 *               which nothing that was sent was answered; and not before as many such looks have ended
 *               as there are failures
 *
 * A look asks the peer's agent and its API when it begins. Pings are sent all the time, one each
 * probeTimeout or sooner, and a look takes in what they have heard when it ends; a deadline between
 * two looks takes it in too. So a ping is often answered before the look that hears of it has begun: it
 * moves the last answer, and that look counts as unanswered all the same.
 *
 * Proof. Let the link be cut at c, for both at once (what holds if they are cut one by one is said in
 * docs/fsm.md). An answer that takes longer than probeTimeout is none: rtt ≤ probeTimeout.
 *
 * The leader's last answered probe was sent at s, and s + rtt ≤ c. It stops at s + fence ≤ c + fence,
 * whatever the phase of its rounds: it wakes for that deadline and does not wait for the look that is
 * under way, and by then failures − 2 looks that began after s have ended, for the first begins at
 * s + interval or before, and all end within probeTimeout. With two failures there would be none: one is
 * waited for, and it stops at s + fence + probeTimeout ≤ c − rtt + fence + probeTimeout.
 *
 * The follower's last answer arrived at a, and its first unanswered look began at r.
 * - Where agent or API answered up to the cut, the look's own probes are unanswered because of the cut:
 *   c < r + rtt. It promotes at r + fence + probeTimeout or later, which is later than
 *   c − rtt + fence + probeTimeout.
 * - Where ICMP alone did, for agent and API were dead before, the look's own probes say nothing. But the
 *   next ping after the last that was answered was sent at a − rtt + probeTimeout or before, so
 *   c < a + probeTimeout. It promotes at a + promote or later, which is a + fence + 2 × probeTimeout,
 *   for the interval is twice probeTimeout, and later than c + fence + probeTimeout.
 * Either is later than any leader's fence, by probeTimeout − rtt or more.
 *
 * Nor is the promotion late: the first look that begins after the cut does so at c + interval or before,
 * and a ≤ c + rtt, so it comes at c + promote + probeTimeout or before, half an interval sooner on the
 * average.
 *
 * What is left between the two is probeTimeout − rtt, about half an interval on a local network, and
 * the promotion's own first 100 ms; the leader's is the time to kill kine. Two clocks differ in rate by
 * less than 0.1 %: 4 ms in 4 s.
 */
export interface Timing {
  /** Between the starts of two rounds. */
  readonly intervalMs: number
  /** Rounds without an answer until the peer is gone. @range 2 to 20 */
  readonly failures: number
  /** Bound of each probe of peer and gateway: half an interval, so that looks never pile up. */
  readonly probeTimeoutMs: number
  readonly fenceMs: number
  readonly promoteMs: number
  /**
   * A round that starts this much after its time kills kine first (A8): the fence time, but at least
   * 3 s, for a busy machine must not look like a frozen one.
   */
  readonly lateMs: number
  /** A full converge, as often as this. */
  readonly reconcileMs: number
}

/**
 * Oldest wait of a commit, and time without a reader, that count as a lost follower (B7). Lower degrades
 * at every hiccup; the sum with one round and the release must stay below the 5 s that end kine (C3).
 */
export const COMMIT_LOST_MS = 1500

/**
 * PostgreSQL that is down for this long, in spite of systemd's and our converges, is failed: k3s gives
 * up at 10 s, and a hand-over takes one.
 */
export const POSTGRES_FAILED_MS = 6000

/** Crash recovery may take this long until the leader would rather yield: bounded by max_wal_size (C3). */
export const POSTGRES_RECOVERY_MS = 30_000

/** A subscription whose worker fails or is missing for this long needs a new slot. Found within 30 s. */
export const SUBSCRIPTION_STUCK_MS = 20_000

/**
 * A copy that does not come further for this long, beside a leader that answers, is begun anew. What it
 * may wait for in good order is shorter: a slot for it waits for the leader's open transactions (B5).
 */
export const COPY_STUCK_MS = 60_000

/** The pause doubles with each one that stuck, up to this: a full disk is not mended by copying. */
export const COPY_STUCK_MOST_MS = 16 * COPY_STUCK_MS

/** Attempts of one subscription that failed: whatever the next one has copied is no progress any more. */
export const COPY_ERRORS_MOST = 5

/**
 * A peer whose agent has been silent for this long counts as gone for a promotion by proof, even while
 * its kernel answers ICMP or something takes connections on its API's port: a dead agent is no reason
 * for a pair without a leader, and k3s without kine opens and closes that port. By then the guard has
 * stopped its kine, in the fence time (B9), and nobody but an agent makes a leader go alone: whatever it
 * acknowledged, a follower with the proof has. An agent that lives after all, and whom only we do not
 * hear, is superseded at the next contact. Not sooner: systemd starts an agent anew within a few seconds.
 */
export const AGENT_GONE_MS = 20_000

/** Less free than this is a full disk; it is well again at twice as much. @unit bytes */
export const DISK_FULL_BYTES = 32 * 1024 * 1024

/** Changes of leader, or to alone, in an hour at which the flap guard freezes. */
export const FLAP_LIMIT = 6

/** The flap guard's window, and the calm that thaws it. */
export const FLAP_WINDOW_MS = 3_600_000

/** After a failed settling: the first retry, and the longest pause between two. */
export const SETTLE_RETRY_MS = 1000
export const SETTLE_RETRY_MAX_MS = 30_000

/** What answers reads on a leader that waits is looked at again after this; an agent hears of no unit's end. */
export const READS_LOOK_MS = 300_000

/** And after this where it did not come up, in the minute that it has: a start costs the host seconds of a core. */
export const READS_RETRY_MS = 60_000

/** After a refused hand-over or yield, before the next is tried. */
export const HAND_OVER_PAUSE_MS = 10_000

/**
 * A hand-over for a lost gateway that failed when both kines stood still is put off for HAND_OVER_PAUSE_MS,
 * for twice as long after the next, and so on up to this: the leader serves whoever comes by another way,
 * and a try takes some seconds of that. At this pause it is about one second in a hundred.
 */
export const HAND_OVER_PAUSE_MAX_MS = 320_000

/**
 * An attempt at the claim goes on for so long: with a commit's wait, a round and the release it must stay
 * below the 5 s that end kine (C3) where the witness answers, and it does so in some milliseconds.
 */
export const CLAIM_TAKE_MS = 2000

/** A claim that was refused, or is not true, is looked at again after this. */
export const CLAIM_AGAIN_MS = 5000

/** One that is true, after this: a witness that is down is to be known before it is needed. */
export const CLAIM_LOOK_MS = 30_000

/** The same trouble with a third party is told again after so long: a paired site rests on it in nothing. */
export const TOLD_AGAIN_MS = 3_600_000

/** An attempt at the peer's power that proved nothing is made again after this, and after twice as long each time. */
export const POWER_AGAIN_MS = 5000
export const POWER_AGAIN_MAX_MS = 60_000

/** Between two questions whether a host that was powered off is off: most are within one second. */
export const POWER_STATUS_MS = 500

/** While all is well the peer's power is asked after this often: what fails is to be known before it is needed. */
export const POWER_LOOK_MS = 60_000

/** No host that is off boots and answers within this: one that does was never off. */
export const POWER_LIE_MS = 3000

/** A prepared follower starts its kine again when it hears nothing for this long. */
export const PREPARED_MS = 10_000

const MIN_LATE_MS = 3000

/** What follows from a site's liveness settings. */
export function timingOf(
  liveness: Pick<LivenessSettings, 'intervalMs' | 'failures'>,
  reconcileMs = 300_000,
): Timing {
  const { intervalMs, failures } = liveness
  const { fenceMs, promoteMs } = fenceAndPromote(liveness)
  return {
    intervalMs,
    failures,
    probeTimeoutMs: Math.floor(intervalMs / 2),
    fenceMs,
    promoteMs,
    lateMs: Math.max(fenceMs, MIN_LATE_MS),
    reconcileMs,
  }
}
