import type { ArtifactSetting, K3sSettings, Site } from '../core/site.ts'
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

/**
 * The site with files of this machine for what the playbook installs and the inventory gives no place.
 * @throws TwonodeError E_DOWNLOAD
 */
export async function withReleases(
  inventory: InventorySite,
  playbook: Playbook,
  provide: ProvideRelease,
): Promise<InventorySite> {
  let made = inventory
  for (const name of ['kine', 'k3s'] as const) {
    if (isPlaced(made.site[name].binary) || !mentions(playbook, `site.${name}.binary`)) continue
    const path = await provide(fileOf(made.site, name, PROJECTS[name].file))
    made = withSettings(made, name, path, { binary: { ...made.site[name].binary, path } })
  }
  const [images] = made.site.k3s.images
  if (images === undefined || isPlaced(images.binary) || !mentions(playbook, 'site.k3s.images'))
    return made
  const path = await provide(fileOf(made.site, 'k3s', images.name))
  return withSettings(made, 'k3s', path, { images: [{ ...images, binary: { path } }] })
}

function isPlaced({ path, url }: ArtifactSetting): boolean {
  return path !== undefined || url !== undefined
}

function fileOf(site: Site, name: 'kine' | 'k3s', file: string): ReleaseFile {
  const { version, mirror } = site[name]
  const { base, sums } = PROJECTS[name]
  return { project: name, version, base: mirror ?? base, file, sums }
}

function withSettings(
  made: InventorySite,
  name: 'kine' | 'k3s',
  path: string,
  settings: Partial<K3sSettings>,
): InventorySite {
  const { site, binaryPaths, place } = made
  const changed: Site = { ...site, [name]: { ...site[name], ...settings } }
  const known = { key: `${name}.version`, path, place }
  return { ...made, site: changed, binaryPaths: [...binaryPaths, known] }
}

function mentions({ plays }: Playbook, word: string): boolean {
  const tasks = plays.flatMap((play) => [...play.gate, ...play.tasks, ...play.handlers])
  return tasks.some(({ value, vars }) =>
    JSON.stringify([value, vars.map((level) => level.vars)]).includes(word),
  )
}
