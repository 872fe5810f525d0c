import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeAuthority, makeLeaf } from '../src/host/x509.ts'
import type { Claim } from '../src/pair/claim.ts'
import { endsWithOthers, killGroup } from './command.ts'
import type { Lab } from './lab.ts'
import { seenWithin } from './wait.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

const PORT = 8623

export const TOKEN = 'the-token-of-the-lab-s-witness'

/** `twonode witness serve` on the third machine of the lab: the one that it runs on. */
export interface LabWitness {
  readonly url: string
  readonly ca: string
  start(): Promise<void>
  stop(): Promise<void>
  /** What it keeps of this site; undefined: nothing. */
  kept(site: string): Claim | undefined
}

const running = new Set<ChildProcess>()

/** For after the last test of a file. */
export function endWitnesses(): void {
  for (const { pid } of running) if (pid !== undefined) killGroup(pid)
}

/** One that starts with nothing: see {@link endWitnesses}. */
export async function labWitness(lab: Lab, { token }: { token: boolean }): Promise<LabWitness> {
  const folder = join(lab.directory, token ? 'witness' : 'race')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const authority = await makeAuthority('witness of the lab')
  const names = { commonName: 'witness', subjectAltNames: [lab.gateway] }
  const leaf = await makeLeaf({ ...names, usages: ['server'], validDays: 1 }, authority)
  const at = (name: string) => join(folder, name)
  writeFileSync(at('cert.pem'), leaf.certificatePem)
  writeFileSync(at('key.pem'), leaf.keyPem, { mode: 0o600 })
  writeFileSync(at('token'), `${TOKEN}\n`, { mode: 0o600 })
  const port = token ? PORT : PORT + 1
  const listen = ['--listen', `${lab.gateway}:${port}`, '--directory', at('claims')]
  const tls = ['--certificate', at('cert.pem'), '--key', at('key.pem')]
  const shown = token ? ['--token-file', at('token')] : []
  let child: ChildProcess | undefined
  return {
    url: `https://${lab.gateway}:${port}/v1/claims/{site}`,
    ca: authority.certificatePem,
    kept: (site) => {
      try {
        return JSON.parse(readFileSync(join(at('claims'), `${site}.json`), 'utf8')) as Claim
      } catch {
        return undefined
      }
    },
    start: async () => {
      const program = join(ROOT, 'dist/twonode.mjs')
      child = spawn(process.execPath, [program, 'witness', 'serve', ...listen, ...tls, ...shown], {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      })
      running.add(child)
      endsWithOthers(child)
      let said = ''
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text))
      await seenWithin(async () => said.includes('the witness answers'), {
        timeoutMs: 20_000,
        everyMs: 50,
      })
    },
    stop: async () => {
      const ended = new Promise((resolve) => child?.once('close', resolve))
      if (child?.pid !== undefined) killGroup(child.pid)
      await ended
      if (child !== undefined) running.delete(child)
    },
  }
}
