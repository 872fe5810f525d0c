import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readText } from '../host/files.ts'
import type { RunningKine } from './ports.ts'

/** Of kine's unit: the one that runs, one on its way up or down, the script that changes them. */
const MOST_PROCESSES = 16

/** Where systemd has its units' processes: cgroup v2, or beside v1. */
const HIERARCHIES = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd']

const KINE_FILE = '/etc/twonode/kine.env'
const ENDPOINT = 'KINE_ENDPOINT'

/** Tests have their own. */
export interface KinePlaces {
  /** The ids of the processes of kine's unit, one a line; undefined: nobody knows. */
  readonly ids: string | undefined
  /** The file that they are started by. */
  readonly file: string
}

/** What runs in kine's unit, as the kernel tells it: each process has the environment of its start. */
export class KineProcesses implements RunningKine {
  readonly #places: KinePlaces

  constructor(places: KinePlaces = { ids: idsOfKine(), file: KINE_FILE }) {
    this.#places = places
  }

  async astray(): Promise<readonly string[]> {
    const { ids, file } = this.#places
    const [list, text] = await Promise.all([read(ids), readText(file)])
    const wanted = /^KINE_ENDPOINT="?(.*?)"?$/m.exec(text ?? '')?.[1]
    if (wanted === undefined) return []
    const running = (list ?? '').split('\n').filter(Boolean).slice(0, MOST_PROCESSES)
    const endpoints = await Promise.all(running.map(endpointOf))
    return running.filter((_, i) => endpoints[i] !== undefined && endpoints[i] !== wanted)
  }
}

/** Undefined: it has ended, or is forked and not kine yet. */
async function endpointOf(id: string): Promise<string | undefined> {
  const entries = (await read(`/proc/${id}/environ`))?.split('\0') ?? []
  return entries.find((entry) => entry.startsWith(`${ENDPOINT}=`))?.slice(ENDPOINT.length + 1)
}

async function read(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined
  return await readFile(path, 'utf8').catch((): undefined => undefined)
}

/** Beside this agent's own unit. */
function idsOfKine(): string | undefined {
  const own = ownGroups()
  for (const hierarchy of HIERARCHIES)
    for (const group of own)
      if (group !== '/' && existsSync(join(hierarchy, group, 'cgroup.procs')))
        return join(hierarchy, dirname(group), 'kine.service', 'cgroup.procs')
  return undefined
}

/** @source https://man7.org/linux/man-pages/man7/cgroups.7.html: number, controllers, path */
function ownGroups(): readonly string[] {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => line.split(':').slice(2).join(':'))
}
