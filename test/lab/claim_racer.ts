import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import type { RaceOrders } from '../../lab/claim_racer.ts'
import type { Lab } from '../../lab/lab.ts'
import type { HostName } from '../../lab/names.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

/** An agent's dealings with the claim, inside a host: it says what became of each race. */
export function racerOn(lab: Lab, host: HostName) {
  const program = [process.execPath, join(ROOT, 'dist/claim_racer.mjs')]
  const child = spawn('ip', ['netns', 'exec', lab.hosts[host].netns, ...program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
  })
  onTestFinished(() => void child.stdin.end())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async (orders: RaceOrders): Promise<string> => {
    child.stdin.write(`${JSON.stringify(orders)}\n`)
    const { value } = await lines.next()
    return String(value)
  }
}
