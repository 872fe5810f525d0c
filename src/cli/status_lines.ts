import type { Output } from './world.ts'
import { printable } from './paint.ts'

/** Lines at the bottom of a terminal, one a host, rewritten in place. Elsewhere: nothing. */
export interface StatusLines {
  /** False when there is no terminal to rewrite. */
  readonly live: boolean
  set(host: string, text: string): void
  remove(host: string): void
  /** Prints above the lines, to stay. */
  above(text: string): void
  close(): void
}

export async function openStatusLines(out: Output): Promise<StatusLines> {
  if (!out.isTerminal) return plainLines(out)
  const { createLogUpdate } = await import('log-update')
  // log-update asks for a stream and uses these three of it.
  const stream = { write: (text: string) => out.write(text), columns: out.columns, rows: 24 }
  const update = createLogUpdate(stream as unknown as NodeJS.WritableStream)
  const lines = new Map<string, string>()
  const draw = () => {
    if (lines.size === 0) update.clear()
    else update([...lines.values()].join('\n'))
  }
  return {
    live: true,
    set(host, text) {
      // A wrapped line would need more rows than hosts.
      lines.set(host, printable(text).slice(0, Math.max(20, out.columns - 1)))
      draw()
    },
    remove(host) {
      if (lines.delete(host)) draw()
    },
    above(text) {
      update.clear()
      out.write(text)
      draw()
    },
    close() {
      update.clear()
      update.done()
    },
  }
}

function plainLines(out: Output): StatusLines {
  return {
    live: false,
    set() {},
    remove() {},
    above: (text) => out.write(text),
    close() {},
  }
}
