import { TwonodeError } from '../core/errors.ts'
import type { SiteSecretName } from '../core/host.ts'
import type { FromRunner } from '../core/protocol.ts'
import { reveal, Secret } from '../core/secret.ts'
import type { SiteSecrets } from '../host/site_secrets.ts'
import type { Redaction } from './redaction.ts'
import type { RemoteControl } from './remote_control.ts'

export interface RelaySettings {
  readonly control: RemoteControl
  readonly secrets: SiteSecrets
  readonly site: string
  readonly redaction: Redaction
  readonly send: (message: FromRunner) => void
}

/** Puts a secret of the site into its place: the controller says whether it is the peer's or new. */
export async function obtainSiteSecret(
  name: SiteSecretName,
  settings: RelaySettings,
): Promise<void> {
  const { control, secrets, site, redaction, send } = settings
  const answer = await control.siteSecret(name)
  switch (answer.action) {
    case 'use': {
      const value = new Secret(answer.value, `site:${name}`)
      redaction.add(value)
      return await secrets.store(name, value)
    }
    case 'make': {
      // One that lies here already is the one, whatever the hello of long ago said.
      const value = (await secrets.read(name)) ?? (await secrets.make(name, site))
      redaction.add(value)
      return send({ type: 'site-secret', name, value: reveal(value) })
    }
    case 'refuse':
      throw new TwonodeError('E_FAILED', `there is no ${name} for this site: ${answer.reason}`)
    default:
      throw new Error(`unhandled answer: ${(answer satisfies never as { action: string }).action}`)
  }
}

/** Hands this host's secret to the peer, through the controller's memory. */
export async function exportSiteSecret(
  name: SiteSecretName,
  { secrets, send }: Pick<RelaySettings, 'secrets' | 'send'>,
): Promise<void> {
  const value = await secrets.read(name)
  if (value === undefined) send({ type: 'no-site-secret', name })
  else send({ type: 'site-secret', name, value: reveal(value) })
}
