import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { askAgent } from '../../../src/agent/control_socket.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import type { PlanStep } from '../../../src/core/plan.ts'
import { reveal, Secret } from '../../../src/core/secret.ts'
import type { LivenessSettings } from '../../../src/core/site.ts'
import { type HostMeta, serialiseHostMeta } from '../../../src/pair/host_meta.ts'
import { secretsFileText, siteFileText } from '../../../src/plan/site_file.ts'
import { planOf, step } from '../../support/engine_run.ts'
import { buildRunner, type RunnerProgram } from '../../support/runner_process.ts'
import { loopbackSite } from './site.ts'

/** The name of the folder that the agent's program lies in: its bundle. */
const BUNDLE = 'b'.repeat(64)

/** What every host's secrets file holds, and no journal, answer or output ever may. */
export const PLANTED = 'sesame-open-8d1f'

/** The agent's own program, bundled as on a host. */
export async function buildAgent(): Promise<RunnerProgram> {
  return await buildRunner('src/agent/main.ts', BUNDLE)
}

export interface HostOptions {
  readonly name: 'h1' | 'h2'
  readonly meta: HostMeta
  readonly steps?: readonly PlanStep[]
}

/**
 * A host for one agent, on this machine: the folders that an agent knows by name are its own, in a mount
 * namespace that ends with it. Sockets, files, certificates and processes are real.
 */
export class AgentHost {
  readonly folder = mkdtempSync('/tmp/twonode-agent-')
  readonly meta: HostMeta
  readonly #options: HostOptions
  readonly #program: RunnerProgram
  #child: ChildProcess | undefined
  output = ''
  port = 0

  constructor(program: RunnerProgram, options: HostOptions) {
    this.#program = program
    this.#options = options
    this.meta = options.meta
    for (const own of ['run/twonode', 'state/journal', 'etc'])
      mkdirSync(join(this.folder, own), { recursive: true })
    cpSync('/etc', join(this.folder, 'etc'), { recursive: true, verbatimSymlinks: true })
    for (const own of ['pki', 'tls'])
      mkdirSync(join(this.folder, 'etc/twonode', own), { recursive: true })
  }

  /** A path of the host, where this machine has it. */
  at(path: string): string {
    return join(this.folder, path)
  }

  async prepare(): Promise<void> {
    this.port = await freePort()
    await writeFile(this.at('state/host-meta.yaml'), serialiseHostMeta(this.meta))
    await writeFile(this.at('state/.two-node-initialized'), '')
    // As a converge of the role leaves it: without it none is settled.
    const { branch, leader } = this.meta
    await writeFile(this.at('run/twonode/kine.permit'), `branch: ${branch}\nleader: "${leader}"\n`)
    await this.writeSite()
  }

  /** The site file and the secrets, as a converge leaves them. */
  async writeSite(
    over: { readonly bundle?: string; readonly failures?: number } = {},
  ): Promise<void> {
    const { bundle = BUNDLE, failures = 4 } = over
    const liveness: Partial<LivenessSettings> = { port: this.port, failures }
    const site = loopbackSite({ liveness, stateDirectory: this.at('state'), gateways: [] })
    const args = { argv: ['true'], stdin: { $secret: 'planted' } }
    const steps = [...(this.#options.steps ?? []), step('uses a secret', 'command', args)]
    const plan = { ...planOf([{ steps }]), bundle, site }
    const secrets = new Map([['planted', new Secret(PLANTED, 'planted')]])
    const host = this.#options.name
    await writeFile(this.at('etc/twonode/site.yaml'), siteFileText({ plan, secrets }))
    const text = reveal(secretsFileText({ plan, host, secrets }))
    await writeFile(this.at('etc/twonode/secrets'), text, { mode: 0o600 })
  }

  /** Starts the agent; resolves when it answers on its local socket. */
  async start(env: NodeJS.ProcessEnv = {}): Promise<ChildProcess> {
    const child = this.launch(env)
    await this.eventually(() => this.ask('status').then(() => true))
    return child
  }

  launch(env: NodeJS.ProcessEnv = {}): ChildProcess {
    const script = [
      'set -e',
      `mount --bind ${this.at('etc')} /etc`,
      `mount --bind ${this.at('run')} /run`,
      'exec "$@"',
    ].join('\n')
    const wrapper = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh']
    const agent = [process.execPath, this.#program.file, 'daemon', '--host', this.#options.name]
    const [command = '', ...args] = [...wrapper, ...agent]
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
    this.#child = child
    return child
  }

  /** Ends it as systemd does, and gives its exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null
    child.kill('SIGTERM')
    return await exitOf(child)
  }

  /** What its local socket answers to a command without options. */
  async ask(command: string): Promise<JsonObject> {
    const lines: JsonObject[] = []
    const request = { command, options: {} }
    await askAgent(this.at('run/twonode/agent.sock'), request, (line) => lines.push(line))
    return lines[0] ?? {}
  }

  /** Its faults until now, in its own words. */
  faults(what?: string): readonly string[] {
    return this.journal()
      .filter((line) => line['kind'] === 'fault' && (what === undefined || line['what'] === what))
      .map((line) => JSON.stringify(line['message']))
  }

  journal(): readonly JsonObject[] {
    const folder = this.at('state/journal')
    return readdirSync(folder)
      .filter((name) => name.startsWith('decisions-'))
      .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as JsonObject)
  }

  /** Everything that an agent tells anybody: journal and output. */
  said(): string {
    return `${JSON.stringify(this.journal())}${this.output}`
  }

  async eventually(holds: () => boolean | Promise<boolean>, timeoutMs = 25_000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      if (await Promise.resolve(holds()).catch(() => false)) return
      if (Date.now() > deadline) throw new Error(`not in time; the agent said: ${this.said()}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async remove(): Promise<void> {
    this.#child?.kill('SIGKILL')
    if (existsSync(this.folder)) await rm(this.folder, { recursive: true, force: true })
  }
}

export async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode
  return await new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}
