import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Questions } from './world.ts'

/** Questions to a person, on standard error so that standard output stays what was asked for. */
export function terminalQuestions(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Questions {
  return {
    possible: isTerminal(input) && isTerminal(output),
    ask: (question) => answerTo(question, { input, output, secret: false }),
    askSecretly: (question) => answerTo(question, { input, output, secret: true }),
  }
}

/** Its type says always; on a pipe or file it is not there at all. */
export function isTerminal({ isTTY }: { readonly isTTY?: boolean }): boolean {
  return isTTY ?? false
}

interface Terminal {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  readonly secret: boolean
}

async function answerTo(question: string, terminal: Terminal): Promise<string | undefined> {
  const { input, output, secret } = terminal
  // readline echoes what is typed to its output: a secret's goes nowhere.
  const echo = secret ? new Writable({ write: (_chunk, _encoding, done) => done() }) : output
  // Before the question is seen: what is typed early would be echoed by the terminal itself.
  const lines = createInterface({ input, output: echo, terminal: true })
  try {
    output.write(question)
    return await new Promise((resolve) => {
      lines.once('line', resolve)
      lines.once('close', () => resolve(undefined))
      // readline swallows Ctrl-C while it reads.
      lines.once('SIGINT', () => {
        lines.close()
        process.kill(process.pid, 'SIGINT')
      })
    })
  } finally {
    lines.close()
    if (secret) output.write('\n')
  }
}
