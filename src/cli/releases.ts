import type { Site } from '../core/site.ts'
import type { InventorySite } from '../plan/inventory.ts'
import type { Playbook } from '../plan/playbook.ts'
import type { ReleaseFile } from '../remote/release.ts'

/** Brings a file of a release to this machine; gives its path. */
export type ProvideRelease = (wanted: ReleaseFile) => Promise<string>

/** Names of the files of one release, as its project publishes them. */
interface Project {
  readonly base: string
  readonly file: string
  readonly sums: string
}

/**
 * @source https://github.com/k3s-io/kine/releases
 * @source https://docs.k3s.io/installation/airgap
 */
const PROJECTS: Readonly<Record<'kine' | 'k3s', Project>> = {
  kine: {
    base: 'https://github.com/k3s-io/kine/releases/download',
    file: 'kine-amd64',
    sums: 'sha256sum-amd64.txt',
  },
  k3s: {
    base: 'https://github.com/k3s-io/k3s/releases/download',
    file: 'k3s',
    sums: 'sha256sum-amd64.txt',
  },
}

/** The site with files of this machine for the binaries that the playbook installs and the inventory gives no place. */
export async function withReleases(
  inventory: InventorySite,
  playbook: Playbook,
  provide: ProvideRelease,
): Promise<InventorySite> {
  let made = inventory
  for (const name of ['kine', 'k3s'] as const) {
    const { binary, version, mirror } = made.site[name]
    const isGiven = binary.path !== undefined || binary.url !== undefined
    if (isGiven || !mentions(playbook, `site.${name}.binary`)) continue
    const project = PROJECTS[name]
    const path = await provide({ ...project, project: name, version, base: mirror ?? project.base })
    made = withBinary(made, name, path)
  }
  return made
}

function withBinary(made: InventorySite, name: 'kine' | 'k3s', path: string): InventorySite {
  const { site, binaryPaths, place } = made
  const binary = { ...site[name].binary, path }
  const changed: Site = { ...site, [name]: { ...site[name], binary } }
  const known = { key: `${name}.version`, path, place }
  return { ...made, site: changed, binaryPaths: [...binaryPaths, known] }
}

function mentions({ plays }: Playbook, word: string): boolean {
  const tasks = plays.flatMap((play) => [...play.gate, ...play.tasks, ...play.handlers])
  return tasks.some(({ value, vars }) =>
    JSON.stringify([value, vars.map((level) => level.vars)]).includes(word),
  )
}
