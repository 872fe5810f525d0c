/**
 * One at a time: what reads the proof or hostMeta to decide, and writes one of them, happens in here as
 * a whole. It is held for a write to the disk, never for a converge, so that a void is answered at once.
 */
export class Gate {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}
