import type { AnyModule, Registry } from '../src/core/module.ts'
import { artifact } from './artifact.ts'
import { assert } from './assert.ts'
import { certificate } from './certificate.ts'
import { command } from './command.ts'
import { directory } from './directory.ts'
import { file } from './file.ts'
import { hostMeta } from './host_meta.ts'
import { lines } from './lines.ts'
import { packageModule } from './package.ts'
import { siteSecret } from './site_secret.ts'
import { sysctl } from './sysctl.ts'
import { systemdUnit } from './systemd_unit.ts'
import { user } from './user.ts'
import { virtualIp } from './virtual_ip.ts'
import { waitFor } from './wait_for.ts'

/** Every module that a task may name, one line each. */
export const MODULES: readonly AnyModule[] = [
  artifact,
  assert,
  certificate,
  command,
  directory,
  file,
  hostMeta,
  lines,
  packageModule,
  siteSecret,
  sysctl,
  systemdUnit,
  user,
  virtualIp,
  waitFor,
]

/** The same, by name. */
export const registry: Registry = new Map(MODULES.map((module) => [module.name, module]))
