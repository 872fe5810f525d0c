import { redactor, type Secret } from '../core/secret.ts'
import type { SiteSecretName } from '../core/host.ts'
import { createSiteSecrets, type SiteSecrets } from '../host/site_secrets.ts'
import type { OwnSite } from './own_site.ts'

/**
 * What this host's agent keeps out of all that it writes: the secrets that came with its site, and those
 * that lie on the host and never do, the authority's key and the token of k3s.
 */
export async function ownRedactor(
  { secrets }: Pick<OwnSite, 'secrets'>,
  held: Pick<SiteSecrets, 'read'> = createSiteSecrets(),
): Promise<(text: string) => string> {
  const found = await Promise.all((['ca', 'k3s-token'] as const).map((name) => readOf(held, name)))
  return redactor([...secrets.values(), ...found.filter((secret) => secret !== undefined)])
}

/** One that can't be read is in no message either, and no reason for a host without an agent. */
async function readOf(
  held: Pick<SiteSecrets, 'read'>,
  name: SiteSecretName,
): Promise<Secret | undefined> {
  return await held.read(name).catch(() => undefined)
}
