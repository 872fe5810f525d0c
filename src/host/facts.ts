import { readdirSync, readFileSync } from 'node:fs'
import {
  arch,
  availableParallelism,
  hostname,
  machine,
  networkInterfaces,
  release,
  totalmem,
} from 'node:os'
import type { JsonObject } from '../core/json.ts'

/** Where systemd's shared library lies, its version in its name: no process is started to ask. */
const SYSTEMD_FOLDERS = [
  '/usr/lib/x86_64-linux-gnu/systemd',
  '/usr/lib/aarch64-linux-gnu/systemd',
  '/usr/lib/systemd',
  '/lib/systemd',
]

const BYTES_PER_MB = 1024 * 1024

/** What templates and expressions may name under `facts`. */
export function readFacts(): JsonObject {
  const { ID = 'unknown', VERSION_ID = '' } = parseOsRelease(textOf('/etc/os-release'))
  return {
    hostname: hostname(),
    architecture: machine() || arch(),
    distribution: ID,
    distributionVersion: VERSION_ID,
    kernel: release(),
    memoryMb: Math.round(totalmem() / BYTES_PER_MB),
    cpus: availableParallelism(),
    interfaces: interfaces(),
    systemdVersion: systemdVersion(),
  }
}

/** KEY=value lines, the value quoted or not. @source https://www.freedesktop.org/software/systemd/man/os-release.html */
export function parseOsRelease(text: string): Partial<Record<'ID' | 'VERSION_ID', string>> {
  const lines = text.matchAll(/^([A-Z_]+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"'\n]*))$/gm)
  return Object.fromEntries(
    [...lines].map(([, key = '', double, single, bare = '']) => [key, double ?? single ?? bare]),
  )
}

function interfaces(): readonly JsonObject[] {
  return Object.entries(networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    addresses: addresses.map(({ address }) => address),
  }))
}

/** 0 where there is none. */
function systemdVersion(): number {
  for (const folder of SYSTEMD_FOLDERS) {
    for (const name of namesIn(folder)) {
      const version = /^libsystemd-shared-(\d+)/.exec(name)?.[1]
      if (version !== undefined) return Number(version)
    }
  }
  return 0
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Another distribution's folder.
    return []
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // A host without it is still a host; its distribution is unknown.
    return ''
  }
}
