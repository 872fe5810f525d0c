import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { messageOf } from '../core/errors.ts'
import { isObject, parseJson } from '../core/json.ts'
import { type Claim, CLAIM_BYTES, CLAIM_FORMAT, parseClaim } from '../pair/claim.ts'
import type { Witness, WitnessRead, WitnessSilent, WitnessSwap } from '../pair/witness.ts'

/** A claim, its version, and what stands around them. @unit bytes */
const MOST_OUTPUT = 2 * CLAIM_BYTES

export interface ScriptPlace {
  readonly command: readonly string[]
  readonly site: string
  /** @unit milliseconds */
  readonly timeoutMs: number
}

/** A program of the site's own: `read` or `swap` is its last argument, JSON comes and goes. */
export class ScriptWitness implements Witness {
  readonly #place: ScriptPlace

  constructor(place: ScriptPlace) {
    this.#place = place
  }

  nonce(): string {
    return randomUUID()
  }

  async read(): Promise<WitnessRead> {
    return await this.#answered(async (): Promise<WitnessRead> => {
      const { claim, version } = await this.#ask('read', {})
      if (claim === null) return { kind: 'absent' }
      if (typeof version !== 'string' || version === '') throw new Error('it names no version')
      const text = JSON.stringify(claim)
      return { kind: 'claim', claim: parseClaim(text, this.#place.site), version }
    })
  }

  async swap(next: Claim, over: string | null): Promise<WitnessSwap> {
    return await this.#answered(async (): Promise<WitnessSwap> => {
      const { swapped } = await this.#ask('swap', { next, over })
      if (typeof swapped !== 'boolean') throw new Error('it does not say whether it swapped')
      return { kind: swapped ? 'written' : 'lost' }
    })
  }

  async #ask(verb: 'read' | 'swap', more: object): Promise<Record<string, unknown>> {
    const asked = JSON.stringify({ format: CLAIM_FORMAT, site: this.#place.site, ...more })
    const answer = parseJson(
      await run([...this.#place.command, verb], asked, this.#place.timeoutMs),
    )
    if (!isObject(answer)) throw new Error('what it says is no JSON object')
    return answer
  }

  async #answered<T>(act: () => Promise<T>): Promise<T | WitnessSilent> {
    try {
      return await act()
    } catch (error) {
      return { kind: 'silent', why: `${this.#place.command[0] ?? ''}: ${messageOf(error)}` }
    }
  }
}

/** What it printed. @throws Error unless it ended in time, with 0, and printed little */
async function run(argv: readonly string[], input: string, timeoutMs: number): Promise<string> {
  const [program = '', ...rest] = argv
  return await new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let output = ''
    const fail = (why: string) => {
      killGroup(child)
      reject(new Error(why))
    }
    const timer = setTimeout(() => fail(`it did not end within ${timeoutMs} ms`), timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(new Error(`it can not be started: ${error.message}`))
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.length > MOST_OUTPUT) fail(`it says more than ${MOST_OUTPUT} characters`)
    })
    // One that reads nothing closes its end.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      killGroup(child)
      if (code === 0) resolve(output)
      else reject(new Error(`it ended with ${signal ?? code}`))
    })
  })
}

/** With all that it has started. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody of it is left.
  }
}
