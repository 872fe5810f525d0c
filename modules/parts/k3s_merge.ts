import { isObject, type Json } from '../../src/core/json.ts'
import { MUST_MATCH } from './k3s_flags.ts'

/** Values of one configuration file, by key as written: `tls-san`, or `tls-san+` to append. */
export type K3sValues = Readonly<Record<string, Json>>

/** Effective values, each as the list of texts that k3s makes of it. */
export type K3sSettings = ReadonlyMap<string, readonly string[]>

/**
 * What k3s makes of its configuration file and its drop-ins: a later file's value replaces an earlier
 * one's, a key that ends in + appends to it.
 * @source https://docs.k3s.io/installation/configuration#multiple-config-files
 */
export function mergeLikeK3s(layers: readonly K3sValues[]): K3sSettings {
  const merged = new Map<string, readonly string[]>()
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) {
      const flag = key.replace(/\+$/, '')
      const before = key.endsWith('+') ? (merged.get(flag) ?? []) : []
      merged.set(flag, [...before, ...texts(value)])
    }
  }
  return merged
}

/** The site's own file: what the playbook says, and what the inventory adds. */
export function ownValues(config: K3sValues, extra: K3sValues): K3sValues {
  const own: Record<string, Json> = { ...config }
  for (const [key, value] of Object.entries(extra)) {
    const flag = key.replace(/\+$/, '')
    own[flag] = key.endsWith('+') && flag in own ? [...list(own[flag]), ...list(value)] : value
  }
  return own
}

/** Keys that both set, to different values: neither may win in silence. */
export function conflicts(config: K3sValues, extra: K3sValues): readonly string[] {
  return Object.entries(extra)
    .filter(
      ([key, value]) => key in config && texts(config[key]).join('\n') !== texts(value).join('\n'),
    )
    .map(([key]) => key)
}

/** Flags that must be the same on both servers, and that drop-ins of this host have changed. */
export function changedMustMatch(own: K3sSettings, effective: K3sSettings): readonly string[] {
  return MUST_MATCH.filter((flag) => comparable(flag, own) !== comparable(flag, effective))
}

function comparable(flag: string, settings: K3sSettings): string {
  const values = settings.get(flag) ?? []
  if (flag !== 'disable') return values.join(',')
  const disabled = values.flatMap((value) => value.split(','))
  return String(disabled.includes('servicelb'))
}

function list(value: Json | undefined): readonly Json[] {
  if (value === undefined) return []
  return isObject(value) || !Array.isArray(value) ? [value] : (value as readonly Json[])
}

function texts(value: Json | undefined): readonly string[] {
  return list(value).map(String)
}
