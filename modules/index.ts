import type { AnyModule, Registry } from '../src/core/module.ts'
import { admissionPolicy } from './admission_policy.ts'
import { artifact } from './artifact.ts'
import { assert } from './assert.ts'
import { certificate } from './certificate.ts'
import { command } from './command.ts'
import { directory } from './directory.ts'
import { file } from './file.ts'
import { hostMeta } from './host_meta.ts'
import { k3sConfig } from './k3s_config.ts'
import { k3sToken } from './k3s_token.ts'
import { kineDigest } from './kine_digest.ts'
import { kineEndpoint } from './kine_endpoint.ts'
import { kineFence } from './kine_fence.ts'
import { kineHistory } from './kine_history.ts'
import { kineKeptTables } from './kine_kept_tables.ts'
import { kineRevision } from './kine_revision.ts'
import { kineSalvage } from './kine_salvage.ts'
import { kineSchema } from './kine_schema.ts'
import { kineTableSwap } from './kine_table_swap.ts'
import { lines } from './lines.ts'
import { packageModule } from './package.ts'
import { postgresBackends } from './postgres_backends.ts'
import { postgresCluster } from './postgres_cluster.ts'
import { postgresDatabase } from './postgres_database.ts'
import { postgresMajor } from './postgres_major.ts'
import { postgresPublication } from './postgres_publication.ts'
import { postgresRole } from './postgres_role.ts'
import { postgresSetting } from './postgres_setting.ts'
import { postgresSubscription } from './postgres_subscription.ts'
import { replicationSlot } from './replication_slot.ts'
import { replicationSlots } from './replication_slots.ts'
import { siteBundle } from './site_bundle.ts'
import { siteSecret } from './site_secret.ts'
import { sysctl } from './sysctl.ts'
import { systemdUnit } from './systemd_unit.ts'
import { user } from './user.ts'
import { virtualIp } from './virtual_ip.ts'
import { waitFor } from './wait_for.ts'

/** Every module that a task may name, one line each. */
export const MODULES: readonly AnyModule[] = [
  admissionPolicy,
  artifact,
  assert,
  certificate,
  command,
  directory,
  file,
  hostMeta,
  k3sConfig,
  k3sToken,
  kineDigest,
  kineEndpoint,
  kineFence,
  kineHistory,
  kineKeptTables,
  kineRevision,
  kineSalvage,
  kineSchema,
  kineTableSwap,
  lines,
  packageModule,
  postgresBackends,
  postgresCluster,
  postgresDatabase,
  postgresMajor,
  postgresPublication,
  postgresRole,
  postgresSetting,
  postgresSubscription,
  replicationSlot,
  replicationSlots,
  siteBundle,
  siteSecret,
  sysctl,
  systemdUnit,
  user,
  virtualIp,
  waitFor,
]

/** The same, by name. */
export const registry: Registry = new Map(MODULES.map((module) => [module.name, module]))
