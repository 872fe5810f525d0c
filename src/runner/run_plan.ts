import { join } from 'node:path'
import { validate } from '../../modules/parts/validators.ts'
import { registry } from '../../modules/index.ts'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { HelloEvent } from '../core/events.ts'
import type { JsonObject } from '../core/json.ts'
import { type CustomModule, type Plan, PLAN_FORMAT } from '../core/plan.ts'
import { withVersions } from '../core/site.ts'
import { systemClock } from '../engine/clock.ts'
import { execute } from '../engine/execute.ts'
import { openJournal } from '../engine/journal.ts'
import { createFileLock, describeHolder, type FileLock } from '../engine/lock.ts'
import { roleOf } from '../engine/names.ts'
import { sha256 } from '../engine/sha256.ts'
import { createLocalHost, type LocalHost } from '../host/local.ts'
import { createSiteSecrets, type SiteSecrets } from '../host/site_secrets.ts'
import { withCustomModules } from '../plan/custom_modules.ts'
import { fillCompiled } from '../plan/site_file.ts'
import { stepContext } from '../plan/step_context.ts'
import { hello } from './hello.ts'
import type { Link, Opening } from './link.ts'
import { namesAtBarriers } from './names_now.ts'
import { exportSiteSecret, obtainSiteSecret } from './site_secret_relay.ts'

/** Where things lie on a host; tests have their own. */
export interface Places {
  readonly lockFile: string
  /** Stands for `/` where site secrets are kept. */
  readonly secretsRoot: string
  /** Says who converged this host last. */
  readonly appliedFile: string
  /** Where digests of big files are remembered; undefined: the host's own place, null: nowhere. */
  readonly digests?: string | null
}

/** How long connections may take to close. @unit milliseconds */
const CLOSE_MS = 3_000

/** What a run is given of the process that it is in. */
export interface OwnParts {
  readonly bundle: string
  readonly places: Places
}

/** Lock, hello, go, run: with everything of this machine that the engine is given. */
export async function runPlan(opening: Opening, link: Link, settings: OwnParts): Promise<ExitCode> {
  refuseForeign(opening.plan, settings.bundle)
  const { secretsRoot, appliedFile } = settings.places
  const lock = lockOf(opening, link, settings)
  const siteSecrets = createSiteSecrets(secretsRoot)
  const host = hostOf(opening, link, { lock, siteSecrets, settings })
  try {
    if (!opening.options.check) await lock.take(link.control.stop)
    await redactSiteSecrets(siteSecrets, link)
    link.onExport = (name) => {
      const sending = exportSiteSecret(name, { secrets: siteSecrets, send: link.send })
      link.control.goesOutFirst(sending.catch((error: unknown) => link.control.halt(asHalt(error))))
    }
    const greeting = await hello({ host, site: opening.plan.site, siteSecrets, appliedFile })
    link.send(greeting)
    const go = await link.control.go()
    if (go === undefined) return EXIT.done
    const looked = opening.options.report === true ? asItServes(opening, greeting) : opening
    return await converge(looked, { link, host, lock, facts: greeting.facts, go, appliedFile })
  } finally {
    // A server that does not answer is no reason to keep the lock.
    await Promise.race([host.close(), systemClock.sleep(CLOSE_MS)])
    await lock.release()
  }
}

/** Who only looks, looks at the PostgreSQL that serves: the inventory may have a newer one already. */
function asItServes(opening: Opening, { host, postgresMajor }: HelloEvent): Opening {
  if (postgresMajor === undefined) return opening
  const { plan } = opening
  return { ...opening, plan: { ...plan, site: withVersions(plan.site, { [host]: postgresMajor }) } }
}

/** A host that can't read its own secrets any more has nothing to go on with. */
function asHalt(error: unknown): TwonodeError {
  if (error instanceof TwonodeError) return error
  return new TwonodeError('E_FILESYSTEM', "the site's secrets can not be read", { cause: error })
}

/** A plan means what the bundle that compiled it means by it, and nothing else. */
function refuseForeign({ format, bundle }: Plan, own: string): void {
  if (format !== PLAN_FORMAT)
    throw new TwonodeError(
      'E_BUNDLE',
      `the plan has format ${format}, this runner reads ${PLAN_FORMAT}`,
    )
  if (bundle !== own)
    throw new TwonodeError(
      'E_BUNDLE',
      `the plan is for bundle ${short(bundle)}, this is ${short(own)}`,
    )
}

/** What runs here as root is what the laptop has checked. */
function refuseDamaged({ name, source, sha256: wanted }: CustomModule): void {
  if (sha256(source) === wanted) return
  throw new TwonodeError('E_BUNDLE', `the module ${name} is not the one whose hash came with it`)
}

function short(sha256: string): string {
  return `${sha256.slice(0, 12)}…`
}

function lockOf({ host, options }: Opening, link: Link, { places }: OwnParts): FileLock {
  return createFileLock({
    file: places.lockFile,
    holder: { pid: process.pid, runId: options.runId, by: options.by },
    timeoutMs: options.lockTimeoutMs,
    clock: systemClock,
    now: () => new Date(),
    onWait: (holder, elapsedMs) => {
      const who = holder === undefined ? 'another converge' : describeHolder(holder)
      const message = `waiting for ${who}`
      link.send({
        event: 'progress',
        host,
        task: 'lock',
        message,
        elapsedMs: Math.round(elapsedMs),
      })
    },
  })
}

function hostOf(
  { plan, host, options }: Opening,
  link: Link,
  parts: {
    readonly lock: FileLock
    readonly siteSecrets: SiteSecrets
    readonly settings: OwnParts
  },
): LocalHost {
  const { control, redaction, send } = link
  const { digests } = parts.settings.places
  const relay = { control, secrets: parts.siteSecrets, site: plan.site.name, redaction, send }
  return createLocalHost({
    name: host,
    lockFd: () => parts.lock.fd(),
    obtain: async (name) => await obtainSiteSecret(name, relay),
    blob: async (sha256) => await link.blobs.get(sha256),
    port: plan.site.postgres.port,
    ...(digests === undefined ? {} : { digestsPath: digests }),
    rehash: options.rehash ?? false,
  })
}

/** What lies on this host is kept out of its output as well as what came with the plan. */
async function redactSiteSecrets(siteSecrets: SiteSecrets, { redaction }: Link): Promise<void> {
  const held = await Promise.all([siteSecrets.read('ca'), siteSecrets.read('k3s-token')])
  redaction.add(...held.filter((secret) => secret !== undefined))
}

interface Parts {
  readonly link: Link
  readonly host: LocalHost
  readonly lock: FileLock
  readonly facts: JsonObject
  readonly appliedFile: string
  readonly go: NonNullable<Awaited<ReturnType<Link['control']['go']>>>
}

async function converge(opening: Opening, parts: Parts): Promise<ExitCode> {
  const { link, host, lock, facts, go, appliedFile } = parts
  const { options } = opening
  const { plan, secrets } = fillCompiled(opening)
  for (const module of plan.customModules) refuseDamaged(module)
  const modules = await withCustomModules({ registry, validate }, plan.customModules)
  return await execute({
    plan,
    options,
    host,
    role: roleOf(host.name, go.pair),
    solo: go.solo,
    ...namesAtBarriers(host, { plan, host: host.name, pair: go.pair, facts }),
    ...modules,
    evaluator: stepContext(modules.registry, secrets),
    control: link.control,
    lock,
    journal: openJournal({
      folder: join(plan.site.stateDirectory, 'journal'),
      runId: options.runId,
      by: options.by,
      version: plan.version,
      redact: link.redaction.apply,
      now: () => new Date(),
    }),
    clock: systemClock,
    appliedFile,
    emit: link.control.say,
  })
}
