import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { ExecResult, Host, UnitState } from '../../src/core/host.ts'
import { createLocalHost, type LocalHost } from '../../src/host/local.ts'
import { freePort } from './sshd.ts'
import { STOPPED_UNIT } from './stopped_unit.ts'

const run = promisify(execFile)

const VERSION = '15'

/** Clusters of tests carry the test's process id, so that those of a killed one can be found. */
const PREFIX = 'tntest'

/**
 * A name for a cluster in Debian's own layout, and the real Host with systemd left out, which no test
 * machine is sure to run: `systemctl` on the cluster's unit becomes what the unit would run.
 */
export interface DebianCluster {
  readonly name: string
  readonly port: number
  readonly host: Host
  /** What was asked of systemctl, in order. */
  readonly asked: string[]
  /** Forgets its connections. */
  close(): Promise<void>
}

export async function debianCluster(): Promise<DebianCluster> {
  await dropLeftovers()
  const name = `${PREFIX}${process.pid}`
  const port = await freePort()
  const local = createLocalHost({ name: 'h1', digestsPath: null, port })
  const asked: string[] = []
  return {
    name,
    port,
    asked,
    host: withoutSystemd(local, name, asked),
    close: async () => {
      await local.close()
      await drop(name)
    },
  }
}

function withoutSystemd(local: LocalHost, name: string, asked: string[]): Host {
  const control = async (verb: string): Promise<ExecResult> =>
    await local.exec(['pg_ctlcluster', VERSION, name, verb])
  return {
    ...local,
    exec: async (argv, options) => {
      const [command, verb = ''] = argv
      if (command !== 'systemctl') return await local.exec(argv, options)
      asked.push(verb)
      // As Debian's ExecStart=-: a server that does not start is no failure of systemctl.
      await control(verb)
      return { code: 0, stdout: '', stderr: '' }
    },
    batch: {
      ...local.batch,
      unit: async () => unitState((await control('status')).code === 0),
    },
  }
}

function unitState(active: boolean): UnitState {
  return {
    ...STOPPED_UNIT,
    active: active ? 'active' : 'inactive',
    sub: active ? 'running' : 'dead',
    enabled: true,
  }
}

async function dropLeftovers(): Promise<void> {
  const places = [`/etc/postgresql/${VERSION}`, `/var/lib/postgresql/${VERSION}`]
  const names = (await Promise.all(places.map(namesBelow))).flat()
  for (const name of new Set(names)) {
    const pid = new RegExp(`^${PREFIX}([0-9]+)$`).exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await drop(name)
  }
}

async function namesBelow(directory: string): Promise<string[]> {
  return existsSync(directory) ? await readdir(directory) : []
}

async function drop(name: string): Promise<void> {
  if (!existsSync(`/etc/postgresql/${VERSION}/${name}`)) return
  await run('pg_dropcluster', ['--stop', VERSION, name])
}
