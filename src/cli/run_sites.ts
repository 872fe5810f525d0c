import type { ExitCode } from '../core/errors.ts'
import type { Emit, Event } from '../core/events.ts'
import { isChosenBy, type RunOptions } from '../core/plan.ts'
import { PROTOCOL_WORDS, type ToRunner } from '../core/protocol.ts'
import { redactor, redactTexts, reveal, type Secret } from '../core/secret.ts'
import type { ReadySite } from './compile_sites.ts'
import { worstExit } from './exit_code.ts'
import { passphraseAsker, readSudoPassword } from './passwords.ts'
import type { RunFlags } from './run_flags.ts'
import type { RunSettings } from './run_state.ts'
import { locate } from './secret_values.ts'
import { runBounded, runSite } from './site_run.ts'
import { usesRoles } from './uses_roles.ts'
import type { Output, World } from './world.ts'

/** How the sites are run, beyond what the command line says. */
export interface RunMode {
  readonly check: boolean
  /** See {@link RunSettings.lookOnly}. */
  readonly lookOnly: boolean
  /** Step events carry what they register. */
  readonly report: boolean
  /** See {@link RunOptions.rehash}. */
  readonly rehash?: boolean
  /** See {@link RunSettings.replaces}. */
  readonly replaces?: string
  /** See {@link RunSettings.overTo}. */
  readonly overTo?: string
}

/** Runs all sites, and gives the worst of their exit codes. */
export async function runSites(
  sites: readonly ReadySite[],
  request: { readonly flags: RunFlags; readonly mode: RunMode; readonly emit: Emit },
  world: World,
): Promise<ExitCode> {
  const { flags, mode, emit } = request
  const sudoPassword = await readSudoPassword(flags.askSudoPassword, world)
  const askPassphrase = passphraseAsker(world)
  const options = runOptions(flags, mode, world)
  const jobs = sites.map((site) => async () => {
    const { inventory, compiled, sudoPasswords } = site
    return await runSite(runSettings(site, { flags, mode }, world), {
      connect: async (name, listener) => {
        const host = inventory.hosts.find((h) => h.name === name)
        if (host === undefined) throw new Error(`${name} is no host of ${inventory.site.name}`)
        const request = {
          host,
          inventoryFile: inventory.file,
          bundle: world.distribution.bundle(),
          opening: planLine(site, name, options),
          acceptNewHostKeys: flags.acceptNewHostKeys,
          sudoPassword: sudoPasswords.get(name) ?? sudoPassword,
          askPassphrase,
        }
        return await world.open(request, listener)
      },
      blobs: blobFiles(compiled.blobs, world),
      emit: canGoOnWithOne(site, request) ? (event) => emit(withLimit(event)) : emit,
      now: world.now,
      onInterrupt: world.onInterrupt,
    })
  })
  return worstExit(await runBounded(jobs))
}

/** A run that changes something stops when a host is missing, unless it is told to go on with the other one. */
function canGoOnWithOne(
  { participants }: ReadySite,
  { flags, mode }: { readonly flags: RunFlags; readonly mode: RunMode },
): boolean {
  return flags.takesLimit && !mode.lookOnly && participants.length > 1
}

function withLimit(event: Event): Event {
  if (event.event !== 'trouble' || event.trouble.code !== 'E_UNREACHABLE') return event
  const hint = `${event.trouble.hint} \`--limit HOST\` goes on with the other one.`
  return { ...event, trouble: { ...event.trouble, hint } }
}

/** Where each blob's file is: the plan was compiled with paths as people write them, `~/…` included. */
function blobFiles(
  blobs: ReadySite['compiled']['blobs'],
  world: World,
): ReadySite['compiled']['blobs'] {
  return new Map(
    [...blobs].map(([sha256, blob]) => [sha256, { ...blob, path: locate(blob.path, world) }]),
  )
}

/** A world whose output can hold none of the secrets of these sites: the last line of defence. */
export function guardedWorld(world: World, sites: readonly ReadySite[]): World {
  const secrets = sites.flatMap(({ compiled, sudoPasswords }): readonly Secret[] => [
    ...compiled.secrets.values(),
    ...sudoPasswords.values(),
  ])
  if (secrets.length === 0) return world
  const quiet = redactor(secrets)
  const guard = (out: Output): Output => ({
    write: (text) => out.write(jsonLine(text, quiet) ?? quiet(text)),
    isTerminal: out.isTerminal,
    get columns() {
      return out.columns
    },
  })
  return { ...world, stdout: guard(world.stdout), stderr: guard(world.stderr) }
}

/**
 * A line of JSON with its texts redacted one by one: a secret that is part of JSON's own writing (a
 * number, a field's name) must not make a line that no program can read. Undefined: it is none.
 */
function jsonLine(text: string, quiet: (text: string) => string): string | undefined {
  if (!text.startsWith('{') || text.indexOf('\n') !== text.length - 1) return undefined
  try {
    return `${JSON.stringify(redactTexts(JSON.parse(text), quiet, PROTOCOL_WORDS))}\n`
  } catch {
    return undefined
  }
}

function runOptions(flags: RunFlags, mode: RunMode, world: World): RunOptions {
  return {
    check: mode.check,
    diff: flags.diff,
    tags: flags.tags,
    limit: flags.limit,
    lockTimeoutMs: flags.lockTimeoutMs,
    runId: world.newRunId(),
    by: world.by,
    allowDowngrade: flags.allowDowngrade,
    ...(mode.report ? { report: true } : {}),
    ...(mode.rehash === true ? { rehash: true } : {}),
  }
}

function runSettings(
  { inventory, participants, compiled }: ReadySite,
  { flags, mode }: { readonly flags: RunFlags; readonly mode: RunMode },
  world: World,
): RunSettings {
  return {
    site: inventory.site,
    participants: participants.map(({ name }) => name),
    plays: compiled.plan.plays,
    check: mode.check,
    lookOnly: mode.lookOnly,
    namesLeader: inventory.namesLeader,
    version: world.distribution.version,
    allowDowngrade: flags.allowDowngrade,
    obtains: compiled.plan.plays.some(({ steps }) =>
      steps.some(({ module }) => module === 'site_secret'),
    ),
    usesRoles: usesRoles(compiled.plan),
    setsUpPostgres: compiled.plan.plays.some(({ steps }) =>
      steps.some((step) => step.module === 'postgres_cluster' && isChosenBy(flags.tags, step)),
    ),
    overTo: mode.overTo,
    replaces: mode.replaces,
  }
}

function planLine({ compiled }: ReadySite, host: string, options: RunOptions): ToRunner {
  const { plan, secrets, blobs } = compiled
  const values = [...secrets].map(
    ([id, secret]) => [id, { value: reveal(secret), origin: secret.origin }] as const,
  )
  const known = [...blobs].map(([sha256, { size, name }]) => [sha256, { size, name }] as const)
  return {
    type: 'plan',
    plan,
    host,
    options,
    secrets: Object.fromEntries(values),
    blobs: Object.fromEntries(known),
  }
}
