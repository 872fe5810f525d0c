import type { SecretRef } from '../core/plan.ts'
import type { WitnessSettings } from '../core/site.ts'
import { canonicalAddress } from './addresses.ts'
import { checkFencing } from './fencing_rules.ts'
import { isWithin, rangeWords, WITNESS_TIMEOUT_RANGE } from './inventory_ranges.ts'
import type { Refuse, SiteSettings } from './inventory_rules.ts'
import { parseDuration, parseSize } from './units.ts'

/** A witness as the inventory writes it. */
export interface WitnessWords {
  readonly http?: { readonly url: string; readonly ca?: string; readonly token?: SecretRef }
  readonly file?: { readonly directory: string }
  readonly script?: { readonly command: readonly string[] }
  readonly timeout: string
}

const WORDS = { witness: 'a witness is asked', fencing: 'a host is powered off' } as const

const KINDS = ['http', 'file', 'script'] as const

/** What a policy needs, and what only looks like a third party. */
export function checkPartition(settings: SiteSettings, refuse: Refuse): void {
  const { partition, witness, fencing, replication } = settings
  if (partition === 'availability') {
    for (const key of ['witness', 'fencing'] as const)
      if (settings[key] !== undefined)
        refuse(
          `${WORDS[key]} under partition: consistency only`,
          [key],
          `Add partition: consistency, or take the ${key} away.`,
        )
    return
  }
  if (fencing !== undefined) checkFencing(fencing, settings, refuse)
  if (witness !== undefined && fencing !== undefined)
    refuse(
      'one of witness and fencing decides who goes on: a host that went on by one would not be seen by the other',
      ['fencing'],
      'docs/operations.md says what each of them proves.',
    )
  if ((parseSize(replication.acceptLoss) ?? 0) > 0)
    refuse('partition: consistency loses nothing: acceptLoss is for availability', [
      'replication',
      'acceptLoss',
    ])
  if (witness === undefined && fencing === undefined)
    refuse(
      'partition: consistency needs a witness, or fencing',
      ['partition'],
      'Add `witness: {http: {url: …}}`; docs/operations.md says what there is.',
    )
  if (witness !== undefined) checkWitness(witness, settings, refuse)
}

function checkWitness(witness: WitnessWords, settings: SiteSettings, refuse: Refuse): void {
  const kinds = KINDS.filter((kind) => witness[kind] !== undefined)
  if (kinds.length !== 1)
    refuse('a witness is one of http, file and script', ['witness'], 'Write one of them.')
  const timeoutMs = parseDuration(witness.timeout) ?? 0
  if (!isWithin(timeoutMs, WITNESS_TIMEOUT_RANGE))
    refuse(`must be ${rangeWords(WITNESS_TIMEOUT_RANGE)}`, ['witness', 'timeout'])
  if (witness.http !== undefined) checkUrl(witness.http, settings, refuse)
  const [program] = witness.script?.command ?? []
  if (program !== undefined && !program.startsWith('/'))
    refuse(`${program} is no absolute path`, ['witness', 'script', 'command', 0])
}

function checkUrl(
  { url, token }: NonNullable<WitnessWords['http']>,
  { name, hosts, virtualIp }: SiteSettings,
  refuse: Refuse,
): void {
  const path = ['witness', 'http', 'url']
  const parsed = parseUrl(urlOf(url, name))
  if (parsed === undefined) return refuse(`${url} is no URL of http or https`, path)
  if (parsed.username !== '' || parsed.password !== '')
    return refuse('a URL with a password is shown to whoever asks', path, 'Use token: !secret …')
  if (token !== undefined && parsed.protocol !== 'https:')
    refuse('a token is sent over https only', ['witness', 'http', 'token'])
  const address = parsed.hostname.replace(/^\[(.*)\]$/, '$1')
  const at = canonicalAddress(address)
  const own = [...hosts.map(({ address }) => address), virtualIp?.address]
  if (at !== undefined && own.some((one) => canonicalAddress(one ?? '') === at))
    refuse(
      `${address} is a host of the pair, or its virtual address`,
      path,
      'A witness is a third machine: it has to outlive either host.',
    )
}

function parseUrl(text: string): URL | undefined {
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  return parsed !== undefined && /^https?:$/.test(parsed.protocol) ? parsed : undefined
}

function urlOf(url: string, site: string): string {
  return url.replaceAll('{site}', site)
}

/** A witness whose rules hold, as the agents have it. */
export function toWitness({ name, partition, witness }: SiteSettings): WitnessSettings | null {
  if (witness === undefined || partition === 'availability') return null
  const timeoutMs = parseDuration(witness.timeout) ?? 0
  const { http, file, script } = witness
  if (http !== undefined)
    return {
      kind: 'http',
      url: urlOf(http.url, name),
      ca: http.ca ?? null,
      token: http.token ?? null,
      timeoutMs,
    }
  if (file !== undefined) return { kind: 'file', directory: file.directory, timeoutMs }
  return { kind: 'script', command: script?.command ?? [], timeoutMs }
}
