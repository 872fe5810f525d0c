import type { Journal, PendingHandler } from '../engine/journal.ts'

/**
 * What a laptop's run owes is the laptop's, which has to come back to finish it: one of its handlers
 * restarts this agent, which would do so in each of its runs, for ever.
 */
export function withDebts(
  journal: Journal,
  {
    pays,
    cleansUp,
  }: { readonly pays: (owed: PendingHandler) => boolean; readonly cleansUp: boolean },
): Journal {
  return {
    leftBehind: () => {
      const { handlers, folders } = journal.leftBehind()
      return { handlers: handlers.filter(pays), folders: cleansUp ? folders : [] }
    },
    intend: (step, change) => journal.intend(step, change),
    done: (step) => journal.done(step),
    owe: (handlers, play) => journal.owe(handlers, play),
    settle: (handlers) => journal.settle(handlers),
    owed: () => journal.owed().filter(pays),
    end: (exitCode) => journal.end(exitCode),
  }
}
