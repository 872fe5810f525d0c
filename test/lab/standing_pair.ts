import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Lab } from '../../lab/lab.ts'
import { arePaired, metaOf } from '../../lab/pair_view.ts'
import { readState } from '../../lab/state.ts'

/**
 * For a file whose tests leave the pair as they found it, while all of them pass: the next test that
 * wants one, or the next file on that lab, need not restore it, which costs two boots and two starts of
 * Kubernetes.
 */
export function leavesThePair(theLab: () => Promise<Lab>): void {
  let asFound = true
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') asFound = false
    const lab = await theLab()
    // A test, or agents with a reason of their own, may have changed the roles: files begin where h1 leads.
    if (asFound && arePaired(lab) && metaOf(lab, 'h1')?.branch === 1)
      writeFileSync(markOf(lab), await standOf(lab))
    else rmSync(markOf(lab), { force: true })
  })
}

/** Whether a file before left the pair standing, and nobody has reset the hosts since. Told once. */
export async function takeStandingPair(lab: Lab): Promise<boolean> {
  const mark = markOf(lab)
  if (!existsSync(mark)) return false
  const left = readFileSync(mark, 'utf8')
  rmSync(mark)
  return left === (await standOf(lab))
}

function markOf({ directory }: Lab): string {
  return join(directory, 'standing-pair')
}

/** Another after every reset, and in every run of the suite: between runs people use their labs. */
async function standOf({ name }: Lab): Promise<string> {
  const state = await readState(name)
  return `generation ${state?.generation} run ${process.ppid}`
}
