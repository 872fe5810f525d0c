import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * The suite's own labs: one that a developer has up is not disturbed. Two, so that two files run side
 * by side; TWONODE_TEST_LAB names one of one's own, to run a file beside the suite.
 */
export const SUITE_LABS: readonly string[] = ((own) =>
  own === undefined ? ['testa', 'testb'] : [own])(process.env['TWONODE_TEST_LAB'])

/** A file that has to wait for a lab waits for another whole file. @unit milliseconds */
const CLAIM_TIMEOUT_MS = 20 * 60_000

/** Takes a lab for this process. A claim whose process is gone counts for nothing. */
export async function claimLab(): Promise<string> {
  const deadline = Date.now() + CLAIM_TIMEOUT_MS
  while (Date.now() < deadline) {
    const free = SUITE_LABS.find((name) => claim(name))
    if (free !== undefined) return free
    await delay(200)
  }
  throw new Error(`none of the labs ${SUITE_LABS.join(', ')} became free`)
}

export function forgetClaims(): void {
  for (const name of SUITE_LABS) rmSync(claimFile(name), { force: true })
}

function claim(name: string): boolean {
  const file = claimFile(name)
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    process.once('exit', () => rmSync(file, { force: true }))
    return true
  } catch {
    if (isAlive(Number(readClaim(file)))) return false
    rmSync(file, { force: true })
    return false
  }
}

function readClaim(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Its owner ended in the meantime: the next round finds the lab free.
    return ''
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function claimFile(name: string): string {
  return join(tmpdir(), `twonode-suite-${name}`)
}
