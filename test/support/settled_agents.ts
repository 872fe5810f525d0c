import { answers, following, GATEWAY_UP, leading, pairMeta } from './agent_sightings.ts'
import { DONE, ScriptedHost } from './scripted_agent.ts'

const META = pairMeta()

/** h2 follows h1, has settled, and has its proof. */
export async function follower(disk: Partial<ScriptedHost['disk']> = {}) {
  const host = new ScriptedHost('h2', { meta: META, ...disk })
  host.converges = { role: () => DONE }
  await host.core.start()
  await host.rounds(2, { ...GATEWAY_UP, ...answers({ meta: META }), ...following('h2_1_1') })
  host.log.length = 0
  return host
}

/** h1 leads h2, and has settled; its log is empty. */
export async function leader(disk: Partial<ScriptedHost['disk']> = {}) {
  const meta = disk.meta ?? META
  const host = new ScriptedHost('h1', { meta, ...disk })
  host.converges = { role: () => DONE }
  await host.core.start()
  const proofTerm = meta.mode === 'paired' ? meta.term : null
  await host.rounds(1, { ...GATEWAY_UP, ...answers({ meta, proofTerm }), ...leading() })
  host.log.length = 0
  return host
}
