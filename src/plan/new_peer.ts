import { TwonodeError } from '../core/errors.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Plan, PlanStep } from '../core/plan.ts'
import type { SiteHost } from '../core/site.ts'

/**
 * The compiled site with another host in the place of one of its two: names and addresses are looked up
 * in the site when a task runs, so that nothing has to be compiled anew. The newcomer takes over the
 * variables and the plays of the one that it replaces, and brings nothing but its name and address. The
 * same plan when it is that already.
 *
 * @throws TwonodeError E_SITE_FILE where the one that is replaced is written out in a task or a setting
 */
export function withNewPeer(plan: Plan, old: string, { name, address }: SiteHost): Plan {
  const known = plan.site.hosts.find((host) => host.name === old)
  // A laptop has brought a site that names the newcomer already, or there is nothing new.
  if (known === undefined || (known.name === name && known.address === address)) return plan
  const { versions = {}, ...postgres } = plan.site.postgres
  const others = { ...plan, site: { ...plan.site, postgres } }
  refuseMention(others, known.name, name)
  refuseMention(others, known.address, address)
  const renamed = (host: string) => (host === old ? name : host)
  const [first, second] = plan.site.hosts
  const replaced = (host: SiteHost): SiteHost =>
    host === known ? { ...host, name, address } : host
  return {
    ...plan,
    site: {
      ...plan.site,
      hosts: [replaced(first), replaced(second)],
      initialLeader: renamed(plan.site.initialLeader),
      postgres: {
        ...postgres,
        ...(Object.keys(versions).length === 0 ? {} : { versions: renamedKeys(versions, renamed) }),
      },
    },
    vars: renamedKeys(plan.vars, renamed),
    plays: plan.plays.map((play) => ({ ...play, hosts: renamed(play.hosts) })),
  }
}

function renamedKeys<T>(
  byHost: Readonly<Record<string, T>>,
  renamed: (host: string) => string,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(byHost).map(([host, value]) => [renamed(host), value]))
}

/** What is written out can not be told from a word that only looks the same: a laptop has to say. */
function refuseMention(plan: Plan, word: string, instead: string): void {
  if (word === instead) return
  const where = mentionOf(plan, word)
  if (where === undefined) return
  throw new TwonodeError('E_SITE_FILE', `${where} says ${word}, which only a laptop can change`, {
    hint: `Write {{peer.name}} or {{peer.address}} there, or give the newcomer ${word} as well.`,
  })
}

function mentionOf({ site, vars, plays, handlers }: Plan, word: string): string | undefined {
  const escaped = word.replaceAll(/[.]/g, String.raw`\.`)
  const mention = new RegExp(`(?<![\\w.:-])${escaped}(?![\\w:-]|\\.\\w)`)
  const says = (value: unknown) => mention.test(JSON.stringify(value) ?? '')
  const { hosts: _, initialLeader: __, name: ___, ...settings } = site
  const setting = Object.entries(settings).find(([, value]) => says(value))
  if (setting !== undefined) return `the site's ${setting[0]}`
  const steps = [...plays.flatMap(({ gate, steps: own }) => [...gate, ...own]), ...handlers]
  const step = steps.find((one) => says(partsOf(one)))
  if (step !== undefined) return `the task '${step.name}'`
  return Object.values(vars).some(says) ? 'a variable' : undefined
}

/** Of a task, all that is more than a word for people. */
function partsOf({ args, vars, when, loop, until }: PlanStep): JsonObject {
  const parts: Record<string, Json | undefined> = { args, vars, when, loop, until }
  return Object.fromEntries(
    Object.entries(parts).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}
