import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one plain line that machines read: `N passed, N failed, N skipped`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      if (module.errors().length > 0) count.failed += 1
      for (const test of module.children.allTests()) count[test.result().state] += 1
    }
    // The default reporter writes its own summary in the same hook: ours comes after it.
    process.once('exit', () => {
      const skipped = count.skipped + count.pending
      process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${skipped} skipped\n`)
    })
  }
}
