import { spawn } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { machine } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { MANIFEST_NAME } from '../bundle/manifest.ts'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Event } from '../core/events.ts'
import type { JsonObject } from '../core/json.ts'
import { reveal } from '../core/secret.ts'
import { type Site, sidesOf } from '../core/site.ts'
import { readText } from '../host/files.ts'
import { isReachable } from '../host/reachable.ts'
import { createSiteSecrets } from '../host/site_secrets.ts'
import type { HostMeta } from '../pair/host_meta.ts'
import { SECRETS_FILE, SITE_FILE } from '../plan/site_file.ts'
import { askAgent, CONTROL_SOCKET } from './control_socket.ts'
import { awaitCurrent } from './current_command.ts'
import {
  type AgentSays,
  firstMeta,
  type Installation,
  installationOf,
  ownName,
  readRecords,
  siteTexts,
  type SiteTexts,
} from './install.ts'
import { prepareJoin } from './join_command.ts'
import { readJoinFile } from './join_file.ts'
import { parseJoinToken } from './join_token.ts'
import { openLocalEngine } from './local_engine.ts'
import type { Output } from './local_commands.ts'
import { writeDurably } from './meta_history.ts'
import type { OwnSite } from './own_site.ts'
import { adopt, type OwnBundle, previousBundle, pruneBundles, readBundle } from './own_bundle.ts'

const ROOT = '/opt/twonode'

const AGENT_UNIT = '/etc/systemd/system/twonode-agent.service'

/** For a host that is there, on the same wire. @unit milliseconds */
const PEER_MS = 2_000

/** How long another converge of this host is waited for. @unit milliseconds */
const LOCK_MS = 30_000

/** How long an agent may take to settle. @unit milliseconds */
const SETTLE_MS = 30_000

/** Between two looks. @unit milliseconds */
const LOOK_MS = 500

/** `twonode install`: this host becomes what a bundle on its own disk says. */
export async function runInstall(options: JsonObject, out: Output): Promise<ExitCode> {
  const folder = await ownFolder()
  if (folder === undefined || options['previous'] === true) return await byAnother(options)
  const bundle = await readBundle(folder)
  const { plan } = bundle
  const host = ownName(plan, wordOf(options['host']))
  const { secrets, ...records } = await readRecords(plan, host)
  const { peer } = sidesOf(plan.site, host)
  const hasAgent = (await readText(AGENT_UNIT)) !== undefined
  const installation = installationOf({
    plan,
    host,
    ...records,
    wants: options['first'] === true ? 'first' : options['join'] === true ? 'join' : undefined,
    pairAnswers: await pairAnswers(plan.site, peer.address),
    agent: hasAgent ? await settledAgent() : undefined,
    hasAgent,
    allowDowngrade: options['allow-downgrade'] === true,
    now: new Date().toISOString(),
  })
  const own = { bundle, host, out, secrets }
  if (installation.kind === 'join') return await joinFrom(own, wordOf(options['to']))
  return await becomePart(own, installation)
}

/** For a host that is there, on the same wire: three places are asked at once. */
async function pairAnswers(
  { liveness, controlPlaneEndpoint }: Site,
  peer: string,
): Promise<boolean> {
  const places = [
    { address: peer, port: liveness.port },
    { address: peer, port: controlPlaneEndpoint.port },
    controlPlaneEndpoint,
  ]
  const answers = await Promise.all(
    places.map(async ({ address, port }) => await isReachable(address, port, PEER_MS)),
  )
  return answers.includes(true)
}

/** One that was started anew a moment ago, by the bundle before, settles within seconds. */
async function settledAgent(): Promise<AgentSays | undefined> {
  const end = Date.now() + SETTLE_MS
  let agent = await ownAgent()
  while (agent?.settled !== true && Date.now() < end) {
    await setTimeout(LOOK_MS)
    agent = await ownAgent()
  }
  return agent
}

async function ownAgent(): Promise<AgentSays | undefined> {
  let status: JsonObject | undefined
  try {
    await askAgent(CONTROL_SOCKET, { command: 'status', options: {} }, (data) => (status = data))
  } catch {
    // None is there, or it ends: what it would have said is not known.
    return undefined
  }
  if (status === undefined) return undefined
  const { role, impaired, settled } = status
  return { role: wordOf(role) ?? '', impaired: impaired === true, settled: settled === 'yes' }
}

interface Own {
  readonly bundle: OwnBundle
  readonly host: string
  readonly out: Output
  /** Content of the secrets file that is on this host. */
  readonly secrets: string | undefined
}

/** Of the pair already, or its first host: nobody else has to be asked. */
async function becomePart(
  own: Own,
  { kind, meta }: Exclude<Installation, { kind: 'join' }>,
): Promise<ExitCode> {
  const { bundle, host, out, secrets } = own
  const { plan } = bundle
  const texts = siteTexts(plan, host, secrets)
  await adopt(bundle, ROOT)
  const siteSecrets = createSiteSecrets()
  // A first host that was cut has them already: they are not made anew.
  if (kind === 'first')
    for (const name of ['ca', 'k3s-token'] as const) await siteSecrets.make(name, plan.site.name)
  // An agent needs it to start; where one runs it stays what the host is, until the host has changed.
  const isNew = (await readText(SITE_FILE)) === undefined
  if (isNew) await keep(texts)
  const changed = await converge(own, { site: texts.own, meta, tags: [] })
  if (!isNew) await keep(texts)
  await pruneBundles(ROOT)
  await awaitCurrent(out)
  const role = meta.leader === host ? 'leads' : 'follows'
  out.write(`${host} ${role}: ${changed} changed, twonode ${plan.version}\n`)
  if (kind === 'first') out.write(nextSteps(own))
  return EXIT.done
}

function nextSteps({ bundle, host }: Own): string {
  const { peer } = sidesOf(bundle.plan.site, host)
  return `Next: \`twonode token create\` here, and on ${peer.name}: sh install.sh BUNDLE --join < TOKEN-FILE\n`
}

/** Packages are the bundle's; what the pair is, and is to be, is the leader's to say. */
async function joinFrom(own: Own, to: string | undefined): Promise<ExitCode> {
  const { bundle, host } = own
  const { plan } = bundle
  const { own: self, peer } = sidesOf(plan.site, host)
  const goesOn = [join(ROOT, 'current/agent.mjs'), 'join', '--run']
  // Let in, and cut before it was converged: it goes on by what the leader gave it.
  if ((await readJoinFile())?.isIn === true) return await handOver(join(ROOT, 'node'), goesOn)
  if (process.stdin.isTTY) process.stderr.write('The token, and Ctrl-D: ')
  const token = parseJoinToken(await text(process.stdin))
  await adopt(bundle, ROOT)
  const meta = firstMeta(plan, peer.name, new Date().toISOString())
  await converge(own, { site: { plan, secrets: new Map() }, meta, tags: ['packages'] })
  await prepareJoin({
    name: host,
    address: self.address,
    to: { address: to ?? peer.address, port: plan.site.liveness.port },
    token,
  })
  await pruneBundles(ROOT)
  // The program in its place: it tells the leader which one it is.
  return await handOver(join(ROOT, 'node'), goesOn)
}

async function converge(
  { host, out }: Own,
  {
    site,
    meta,
    tags,
  }: {
    readonly site: Pick<OwnSite, 'plan' | 'secrets'>
    readonly meta: HostMeta
    readonly tags: readonly string[]
  },
): Promise<number> {
  const engine = await openLocalEngine({
    site: { ...site, host, isReplaced: () => false, takeIn: notHere },
    bundle: site.plan.bundle,
    onEvent: (event) => tell(event, out),
  })
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
  try {
    const wanted = { meta, tags, urgent: false, stop: stop.signal }
    const end = Date.now() + LOCK_MS
    let outcome = await engine.converge(wanted)
    // The agent's own routine is over in seconds.
    while (outcome.kind === 'locked' && Date.now() < end && !stop.signal.aborted) {
      await setTimeout(LOOK_MS)
      outcome = await engine.converge(wanted)
    }
    if (outcome.kind === 'done') return outcome.changed
    throw failure(outcome)
  } finally {
    await engine.close()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
  }
}

type Outcome = Awaited<ReturnType<Awaited<ReturnType<typeof openLocalEngine>>['converge']>>

function failure(outcome: Exclude<Outcome, { kind: 'done' }>): TwonodeError {
  switch (outcome.kind) {
    case 'failed':
      return new TwonodeError(
        'E_FAILED',
        outcome.task === null ? outcome.message : `${outcome.task}: ${outcome.message}`,
        { hint: 'Run the same again when it is mended: it goes on where it stopped.' },
      )
    case 'locked':
      return new TwonodeError('E_LOCKED', `this host is being converged: ${outcome.by}`)
    case 'stopped':
      return new TwonodeError('E_INTERRUPTED', 'ended after the change that was under way')
    default:
      throw new Error(`unhandled: ${JSON.stringify(outcome satisfies never)}`)
  }
}

function tell(event: Event, out: Output): void {
  if (event.event !== 'step') return
  if (event.status === 'changed' || event.status === 'failed')
    out.write(`${event.status}  ${event.task}\n`)
}

async function keep({ site, secrets }: SiteTexts): Promise<void> {
  if ((await readText(SECRETS_FILE)) !== reveal(secrets))
    await writeDurably(SECRETS_FILE, reveal(secrets))
  if ((await readText(SITE_FILE)) !== site) await writeDurably(SITE_FILE, site)
}

/** This program is the host's: the bundle that the host goes by, or the one before, has its own. */
async function byAnother({ previous, ...options }: JsonObject): Promise<ExitCode> {
  const folder = previous === true ? await previousBundle(ROOT) : join(ROOT, 'site')
  if (folder === undefined || (await readText(join(folder, MANIFEST_NAME))) === undefined)
    throw new TwonodeError(
      'E_SITE_BUNDLE',
      previous === true ? 'no other bundle is kept on this host' : 'no bundle is on this host',
      { hint: 'Bring one here: sh install.sh BUNDLE.' },
    )
  const words = Object.entries(options).flatMap(([name, value]) =>
    typeof value === 'string' ? [`--${name}`, value] : [`--${name}`],
  )
  const place = await realpath(folder)
  const node = join(place, 'runtime', machine(), 'node')
  return await handOver(node, [join(place, 'runner/agent.mjs'), 'install', ...words])
}

/** Of the bundle that this program is a part of; undefined: it is the host's own. */
async function ownFolder(): Promise<string | undefined> {
  const above = dirname(import.meta.dirname)
  return (await readText(join(above, MANIFEST_NAME))) === undefined ? undefined : above
}

async function handOver(program: string, argv: readonly string[]): Promise<ExitCode> {
  const child = spawn(program, argv, { stdio: 'inherit' })
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (ended) => resolve(ended ?? EXIT.failed))
  })
  const known = Object.values(EXIT).find((one) => one === code)
  return known ?? EXIT.failed
}

async function notHere(): Promise<void> {
  await Promise.reject(new Error('nobody is taken in while a bundle is installed'))
}

function wordOf(value: JsonObject[string] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
