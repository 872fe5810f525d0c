import type { Ended } from './command.ts'
import type { Lab } from './lab.ts'
import { LabError } from './lab_error.ts'
import type { HostName } from './names.ts'

/** Runs kubectl on a host, to its own API server; what it can't do ends the demo. */
export async function kubectl(
  lab: Lab,
  host: HostName,
  args: readonly string[],
  timeoutMs = 20_000,
): Promise<Ended> {
  const ended = await lab.exec(host, ['/usr/local/bin/k3s', 'kubectl', ...args], { timeoutMs })
  expect(ended.code === 0, `kubectl ${args.join(' ')} on ${host}: ${ended.stderr.trim()}`)
  return ended
}

/** Asks a host's PostgreSQL, and gives what it says. */
export async function sql(lab: Lab, host: HostName, text: string): Promise<string> {
  const psql = ['psql', '-qtAX', '-v', 'ON_ERROR_STOP=1', 'kine', '-c', text]
  return await inHost(lab, host, ['runuser', '-u', 'postgres', '--', ...psql])
}

/** How many rows a host's PostgreSQL has of a ConfigMap. */
export async function rowsOf(lab: Lab, host: HostName, configMap: string): Promise<number> {
  const name = `/registry/configmaps/default/${configMap}`
  return Number(await sql(lab, host, `select count(*) from kine where name = '${name}'`))
}

/** Runs a command in a host, and gives what it says; one that fails ends the demo. */
export async function inHost(lab: Lab, host: HostName, argv: readonly string[]): Promise<string> {
  const ended = await lab.exec(host, argv, { timeoutMs: 20_000 })
  expect(ended.code === 0, `${argv.join(' ')} on ${host}: ${ended.stderr.trim()}`)
  return ended.stdout.trim()
}

/** The demo shows what must hold, or ends. */
export function expect(holds: boolean, otherwise: string): void {
  if (!holds)
    throw new LabError(otherwise, 'Keep the lab and look: npm run demo -- --keep', { exitCode: 3 })
}
