import { createHash } from 'node:crypto'
import { parse } from 'yaml'
import { TwonodeError } from '../core/errors.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../core/json.ts'
import { isSecretRef, PLAN_FORMAT, type Plan, type PlanPlay, type PlanStep } from '../core/plan.ts'
import { Secret } from '../core/secret.ts'
import { baseName } from './paths.ts'
import { secretNames, secretsOfHost } from './site_secrets.ts'
import { isFileTemplate, isFileText } from './values.ts'
import { yamlText } from './yaml_text.ts'

/** The compiled site with its playbooks: what a host needs to converge itself, but for secrets. */
export const SITE_FILE = '/etc/twonode/site.yaml'

/** The secrets that this host's tasks use. Root, 0600. */
export const SECRETS_FILE = '/etc/twonode/secrets'

/** Version of both files. A reader takes its own and refuses any other. */
const SITE_FILE_FORMAT = 1

/** What came with a plan, for one host. */
export interface Delivery {
  readonly plan: Plan
  readonly host: string
  readonly secrets: ReadonlyMap<string, Secret>
}

/** The id under which the secrets file's own content stands among a run's secrets. */
const SECRETS_CONTENT = `twonode:${SECRETS_FILE}`

/**
 * Fills in what a task's `compiled` asks for. It is done on the host: the plan travels once, not a
 * second time within itself.
 */
export function fillCompiled(delivery: Delivery): Pick<Delivery, 'plan' | 'secrets'> {
  const { plan, secrets } = delivery
  if (!plan.plays.some(({ steps }) => steps.some(isCompiled))) return { plan, secrets }
  const site: JsonObject = { $text: siteFileText(delivery) }
  const own: JsonObject = { $secret: SECRETS_CONTENT }
  const fill = (step: PlanStep): PlanStep => {
    if (!isCompiled(step)) return step
    const { compiled, ...args } = step.args
    return { ...step, args: { ...args, content: compiled === 'site' ? site : own } }
  }
  return {
    plan: { ...plan, plays: plan.plays.map((play) => ({ ...play, steps: play.steps.map(fill) })) },
    secrets: new Map([...secrets, [SECRETS_CONTENT, secretsFileText(delivery)]]),
  }
}

/**
 * The site file: the plan without the tasks that write the site file itself, or ask whether it was
 * written. Nothing of the laptop is in it, so that two laptops give the same bytes: folders of playbooks,
 * templates and secrets are left out, and names of secrets are made of what their `!secret` says.
 */
export function siteFileText({ plan, secrets }: Omit<Delivery, 'host'>): string {
  // Whatever JSON leaves out is left out of the checksum too.
  const whole = portablePlan(ofTheHost(plan), secretNames(plan, secrets))
  const portable = JSON.parse(JSON.stringify(whole)) as JsonObject
  const sha256 = digestOf(portable)
  const note =
    '# Written by twonode converge. An edit is refused: change the inventory or the playbook.'
  return `${note}\n${yamlText({ format: SITE_FILE_FORMAT, sha256, plan: portable })}`
}

/** One line of JSON: a line of its own for `}` would be taken for a secret, and masked in all output. */
export function secretsFileText({ plan, host, secrets }: Delivery): Secret {
  const names = secretNames(plan, secrets)
  const used = secretsOfHost(plan, host)
  const values = used.flatMap((id) => {
    const secret = secrets.get(id)
    return secret === undefined ? [] : [[names.get(id) ?? id, Secret.reveal(secret)] as const]
  })
  const inOrder = values.toSorted(([a], [b]) => (a < b ? -1 : 1))
  const content = { format: SITE_FILE_FORMAT, secrets: Object.fromEntries(inOrder) }
  return new Secret(`${JSON.stringify(content)}\n`, SECRETS_FILE)
}

/**
 * The plan in a site file. Strict: a file that is torn, edited or someone else's must never converge a
 * host.
 *
 * @throws TwonodeError E_SITE_FILE with what is wrong
 */
export function parseSiteFile(text: string): Plan {
  const parsed = parseYaml(text)
  if (!isObject(parsed)) throw broken(SITE_FILE, 'is no site file')
  const { format, sha256, plan, ...rest } = parsed
  refuseFormat(SITE_FILE, format)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    throw broken(SITE_FILE, `has a key "${unknown}" that it should not have`)
  if (!isObject(plan) || digestOf(plan) !== sha256)
    throw broken(SITE_FILE, 'is torn or was edited: its checksum differs')
  if (plan['format'] !== PLAN_FORMAT)
    throw broken(SITE_FILE, `holds a plan of format ${shown(plan['format'])}, not ${PLAN_FORMAT}`)
  // What the checksum says was written by siteFileText, from a plan.
  const read = plan as unknown as Plan
  for (const module of read.customModules)
    if (sha256Of(module.source) !== module.sha256)
      throw broken(SITE_FILE, `holds a module ${module.name} that is not the one of its hash`)
  return read
}

/**
 * The secrets in a secrets file, by the names that the site file uses.
 *
 * @throws TwonodeError E_SITE_FILE
 */
export function parseSecretsFile(text: string): ReadonlyMap<string, Secret> {
  const parsed = parseJson(text)
  if (parsed === undefined) throw broken(SECRETS_FILE, 'is torn')
  if (!isObject(parsed)) throw broken(SECRETS_FILE, 'holds no secrets of a site')
  refuseFormat(SECRETS_FILE, parsed['format'])
  const { secrets } = parsed
  if (!isObject(secrets) || Object.values(secrets).some((value) => typeof value !== 'string'))
    throw broken(SECRETS_FILE, 'holds no secrets of a site')
  return new Map(
    Object.entries(secrets).map(
      ([name, value]) => [name, new Secret(String(value), name)] as const,
    ),
  )
}

/**
 * Both files of a host together: all that it needs to converge itself.
 *
 * @throws TwonodeError E_SITE_FILE, also when a secret that this host's tasks use is not there
 */
export function readSite(
  texts: { readonly site: string; readonly secrets: string },
  host: string,
): Pick<Delivery, 'plan' | 'secrets'> {
  const plan = parseSiteFile(texts.site)
  const secrets = parseSecretsFile(texts.secrets)
  if (!plan.site.hosts.some(({ name }) => name === host))
    throw broken(SITE_FILE, `is of site ${plan.site.name}, which has no host ${host}`)
  const used = secretsOfHost(plan, host)
  const missing = used.find((name) => !secrets.has(name))
  if (missing !== undefined)
    throw broken(SECRETS_FILE, `has no ${missing}, which a task of the site file uses`)
  // A run that was cut between the two files: a name may mean another secret in each.
  const foreign = [...secrets.keys()].find((name) => !used.includes(name))
  if (foreign !== undefined)
    throw broken(SECRETS_FILE, `has ${foreign}, which no task of the site file uses`)
  return { plan, secrets }
}

/** A task whose content is the compiled site itself. */
function isCompiled({ module, args }: PlanStep): boolean {
  return module === 'file' && (args['compiled'] === 'site' || args['compiled'] === 'secrets')
}

/** The module that brings a bundle: a run's beginning, and no part of the site. */
const BRINGS_BUNDLE = 'site_bundle'

/**
 * True for what writes the compiled site, for what asks whether that was written, and for what brings a
 * bundle: a host does none of them by itself.
 */
function ofTheRunAlone({ plays }: Plan): (step: PlanStep) => boolean {
  const compiled = plays.flatMap(({ steps }) => steps.filter(isCompiled))
  const told = new Set(compiled.flatMap(({ register }) => register ?? []))
  return (step) =>
    isCompiled(step) || step.module === BRINGS_BUNDLE || step.reads.some((name) => told.has(name))
}

/** The plan without what is of the run alone; a play that has nothing else goes with it. */
function ofTheHost(plan: Plan): Plan {
  const isOfTheRun = ofTheRunAlone(plan)
  const plays = plan.plays.flatMap((play): readonly PlanPlay[] => {
    const steps = play.steps.filter((one) => !isOfTheRun(one))
    const isEmptied = steps.length === 0 && play.steps.length > 0
    return isEmptied ? [] : [{ ...play, steps }]
  })
  return { ...plan, plays }
}

/** A plan with nothing in it of the machine that compiled it: names of files, and of secrets, alone. */
export function portablePlan(plan: Plan, names: ReadonlyMap<string, string>): Plan {
  const tree = (value: Json): Json => portableTree(value, names)
  const step = (one: PlanStep): PlanStep => {
    const { args, vars, loop, place } = one
    return {
      ...one,
      args: tree(args) as JsonObject,
      ...(vars === undefined ? {} : { vars: tree(vars) as JsonObject }),
      ...(loop === undefined ? {} : { loop: tree(loop) }),
      place: { ...place, file: baseName(place.file) },
    }
  }
  return {
    ...plan,
    site: tree(plan.site as unknown as Json) as unknown as Plan['site'],
    vars: tree(plan.vars) as Plan['vars'],
    plays: plan.plays.map((play) => ({
      ...play,
      gate: play.gate.map(step),
      steps: play.steps.map(step),
    })),
    handlers: plan.handlers.map(step),
  }
}

function portableTree(value: Json, names: ReadonlyMap<string, string>): Json {
  if (isSecretRef(value)) return { $secret: names.get(value.$secret) ?? value.$secret }
  if (isFileText(value)) return value
  if (isFileTemplate(value)) return { $template: value.$template, file: baseName(value.file) }
  if (Array.isArray(value)) return value.map((item: Json) => portableTree(item, names))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, portableTree(item, names)] as const),
  )
}

function digestOf(plan: JsonObject | Record<string, unknown>): string {
  return sha256Of(JSON.stringify(plan))
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 })
  } catch {
    throw broken(SITE_FILE, 'is torn, or no YAML')
  }
}

function refuseFormat(file: string, format: unknown): void {
  if (format !== SITE_FILE_FORMAT)
    throw broken(file, `has format ${shown(format)}, not ${SITE_FILE_FORMAT}`)
}

function shown(format: unknown): string {
  return typeof format === 'number' ? String(format) : 'none'
}

function broken(file: string, why: string): TwonodeError {
  return new TwonodeError('E_SITE_FILE', `${file} ${why}`)
}
