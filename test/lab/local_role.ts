import { build } from 'esbuild'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab } from '../../lab/lab.ts'
import type { HostName } from '../../lab/names.ts'
import type { StepEvent } from '../../src/core/events.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { type HostMeta, parseHostMeta, serialiseHostMeta } from '../../src/pair/host_meta.ts'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()
const PROGRAM = '/run/twonode-local-role.mjs'
/** Parts of CommonJS inside an ES module need these names, as in the real bundle. */
const REQUIRE = `import { createRequire as __cr } from 'node:module'
import { fileURLToPath as __fu } from 'node:url'
import { dirname as __dn } from 'node:path'
const require = __cr(import.meta.url), __filename = __fu(import.meta.url), __dirname = __dn(__filename)`
const META = '/var/lib/twonode/host-meta.yaml'

/** How a converge of one host by itself went. */
export interface LocalRun {
  readonly exitCode: number
  /** From the first look to the last change. @unit milliseconds */
  readonly ms: number
  readonly forks: number
  readonly queries: number
  /** `at`: when it ended. @unit milliseconds since the run began */
  readonly steps: readonly (StepEvent & { readonly at: number; readonly result?: JsonObject })[]
}

export interface How {
  /** As an agent that has looked before. */
  readonly warm?: boolean
  /** SIGKILL before this change, or after it if it ends in a half. */
  readonly cutAt?: number
  /** A second run right after it: what that one changes is told. */
  readonly again?: boolean
}

/** The two hosts' agents, played by a test: they write hostMeta, and converge in process. */
export class Agents {
  readonly #lab: Lab

  constructor(lab: Lab) {
    this.#lab = lab
  }

  /** Puts the program on a host, which forgets it with its next boot. */
  async install(host: HostName): Promise<void> {
    const outfile = join(this.#lab.directory, 'local_role.mjs')
    await build({
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      absWorkingDir: ROOT,
      entryPoints: [join(ROOT, 'test/support/local_role_entry.ts')],
      outfile,
      banner: { js: REQUIRE },
      define: { __VERSION__: '"0.0.0"' },
      external: ['pg-native', 'cpu-features'],
      loader: { '.node': 'empty' },
      logLevel: 'error',
    })
    const stdin = readFileSync(outfile)
    await this.#must(host, ['dd', `of=${PROGRAM}`, 'status=none'], stdin.toString('utf8'))
  }

  async meta(host: HostName): Promise<HostMeta> {
    return parseHostMeta(await this.#must(host, ['cat', META]))
  }

  /** What an agent does before it converges: the host's hostMeta, whole and on the disk. */
  async write(host: HostName, more: Partial<HostMeta>, from: HostName = host): Promise<HostMeta> {
    const known = { ...(await this.meta(from)), ...more }
    const meta: HostMeta = {
      ...known,
      hosts: known.hosts.map((one) => ({
        ...one,
        role: one.name === known.leader ? 'leader' : 'follower',
      })),
    }
    await this.#must(
      host,
      ['dd', `of=${META}`, 'status=none', 'conv=fsync'],
      serialiseHostMeta(meta),
    )
    return meta
  }

  /** Converges the tasks with these tags, whatever comes of it. */
  async try(host: HostName, tags: string, more: How = {}): Promise<LocalRun> {
    const argv = this.command(host, tags, more)
    const ended = await this.#lab.exec(host, argv, { timeoutMs: 120_000 })
    const lines = ended.stdout.split('\n').filter((line) => line.startsWith('{'))
    const last = lines.pop()
    if (last === undefined) {
      if (more.cutAt !== undefined && ended.stderr === '') return CUT
      throw new Error(`${host} ${tags}: ${ended.stderr}`)
    }
    const steps = lines.map((line) => JSON.parse(line) as LocalRun['steps'][number])
    return { ...(JSON.parse(last) as Omit<LocalRun, 'steps'>), steps }
  }

  /** Converges the tasks with these tags, and says what went wrong if it did. */
  async converge(host: HostName, tags: string, more: How = {}): Promise<LocalRun> {
    const run = await this.try(host, tags, more)
    if (run.exitCode !== 0) throw new Error(`${host} ${tags}: ${describeRun(run)}`)
    return run
  }

  command(
    host: HostName,
    tags: string,
    { warm = false, cutAt, again = false }: How = {},
  ): string[] {
    const node = 'exec /opt/twonode/runtime/*/bin/node "$@"'
    const how = [warm ? 'warm' : 'cold', String(cutAt ?? ''), again ? 'again' : 'once']
    return ['sh', '-c', node, 'node', PROGRAM, host, tags, ...how]
  }

  async #must(host: HostName, argv: readonly string[], stdin?: string): Promise<string> {
    const ended = await this.#lab.exec(host, argv, stdin === undefined ? {} : { stdin })
    if (ended.code !== 0) throw new Error(`${host}: ${argv.join(' ')}: ${ended.stderr}`)
    return ended.stdout
  }
}

/** Of a run that was killed as it was asked to be. */
const CUT: LocalRun = { exitCode: -1, ms: 0, forks: 0, queries: 0, steps: [] }

/** What a task registered. */
export function registered(run: LocalRun, task: string): JsonObject {
  return run.steps.find((step) => step.task === task)?.result ?? {}
}

export function describeRun({ steps, ms, forks, queries, exitCode }: LocalRun): string {
  const lines = steps.map(({ at, status, task, trouble, reason, changes = [] }) =>
    [
      at,
      status,
      task,
      trouble?.message,
      reason,
      ...changes.map(({ summary }) => summary.slice(0, 90)),
    ]
      .filter((part) => part !== undefined)
      .join(' | '),
  )
  return [`exit ${exitCode}, ${ms} ms, ${forks} forks, ${queries} queries`, ...lines].join('\n')
}
