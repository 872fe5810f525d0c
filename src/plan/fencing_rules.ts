import type { Json, JsonObject } from '../core/json.ts'
import type { SecretRef } from '../core/plan.ts'
import type { FencingSettings, PowerCommands } from '../core/site.ts'
import {
  FENCING_DELAY_RANGE,
  FENCING_TIMEOUT_RANGE,
  isWithin,
  type Range,
  rangeWords,
} from './inventory_ranges.ts'
import type { Refuse, SiteSettings } from './inventory_rules.ts'
import { parseDuration } from './units.ts'

/** A power-off as the inventory writes it. */
export interface FencingWords {
  readonly off: readonly string[]
  readonly status: readonly string[]
  readonly says: string
  readonly input?: SecretRef
  readonly timeout: string
  readonly followerDelay: string
}

const COMMANDS = ['off', 'status'] as const

const PLACEHOLDER = /\{\{\s*(.*?)\s*\}\}/g

type HostWords = SiteSettings['hosts'][number]

/** What a schema can't say of `fencing`: each command stands for either host. */
export function checkFencing(
  fencing: FencingWords,
  { hosts, vars = {} }: SiteSettings,
  refuse: Refuse,
): void {
  for (const which of COMMANDS) {
    const [program = ''] = fencing[which]
    if (!program.startsWith('/')) refuse(`${program} is no absolute path`, ['fencing', which, 0])
    for (const [index, argument] of fencing[which].entries())
      for (const [, name = ''] of argument.matchAll(PLACEHOLDER)) {
        const without = hosts.find((host) => valueOf(name, host, vars) === undefined)
        if (without !== undefined)
          refuse(
            `{{ ${name} }} is no word or number of ${without.name}`,
            ['fencing', which, index],
            'There are host.name, host.address and host.vars.NAME; a secret goes into `input`.',
          )
      }
  }
  if (!isRegExp(fencing.says))
    refuse(`${fencing.says} is no regular expression`, ['fencing', 'says'])
  checkRange(fencing.timeout, FENCING_TIMEOUT_RANGE, 'timeout', refuse)
  checkRange(fencing.followerDelay, FENCING_DELAY_RANGE, 'followerDelay', refuse)
}

function checkRange(text: string, range: Range, key: string, refuse: Refuse): void {
  if (!isWithin(parseDuration(text) ?? -1, range))
    refuse(`must be ${rangeWords(range)}`, ['fencing', key])
}

function isRegExp(text: string): boolean {
  try {
    return new RegExp(text, 'i').flags === 'i'
  } catch {
    return false
  }
}

/** Undefined: it has none, or none that may be an argument. */
function valueOf(name: string, host: HostWords, vars: JsonObject): string | undefined {
  if (name === 'host.name') return host.name
  if (name === 'host.address') return host.address
  const [, key = ''] = /^host\.vars\.(\w+)$/.exec(name) ?? []
  const all: Readonly<Record<string, Json | undefined>> = { ...vars, ...host.vars }
  const value = all[key]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

/** A power-off whose rules hold, as the agents have it: with everything filled in. */
export function toFencing(settings: SiteSettings): FencingSettings | null {
  const { fencing, partition, hosts, vars = {} } = settings
  if (fencing === undefined || partition === 'availability') return null
  const filled = (argv: readonly string[], host: HostWords) =>
    argv.map((text) =>
      text.replaceAll(PLACEHOLDER, (_, name: string) => valueOf(name, host, vars) ?? ''),
    )
  const commandsOf = (host: HostWords): PowerCommands => ({
    off: filled(fencing.off, host),
    status: filled(fencing.status, host),
  })
  return {
    commands: Object.fromEntries(hosts.map((host) => [host.name, commandsOf(host)])),
    says: fencing.says,
    input: fencing.input ?? null,
    timeoutMs: parseDuration(fencing.timeout) ?? 0,
    followerDelayMs: parseDuration(fencing.followerDelay) ?? 0,
  }
}
