import { createHash } from 'node:crypto'
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Laptop } from './twonode_process.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

interface Manifest {
  readonly sha256: string
  readonly files: readonly string[]
}

/**
 * What a laptop with another build of twonode brings to hosts: the same program with a line more, as
 * the environment of its commands.
 */
export function withNewerTwonode({ home }: Laptop): Readonly<Record<'TWONODE_DIST', string>> {
  const dist = join(home, 'newer/dist')
  // A lab that is kept still has what a run before made.
  rmSync(join(home, 'newer'), { recursive: true, force: true })
  const bundle = join(dist, 'bundle')
  cpSync(join(ROOT, 'dist/bundle'), bundle, { recursive: true })
  symlinkSync(join(ROOT, 'playbooks'), join(home, 'newer/playbooks'))
  const path = join(bundle, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
  const agent = join(bundle, 'agent.mjs')
  writeFileSync(agent, `${readFileSync(agent, 'utf8')}\n// built again\n`)
  const sha256 = createHash('sha256').update(`${manifest.sha256} built again`).digest('hex')
  writeFileSync(path, JSON.stringify({ ...manifest, sha256 }))
  return { TWONODE_DIST: dist }
}
