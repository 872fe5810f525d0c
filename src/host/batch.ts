import { NotYet, TwonodeError } from '../core/errors.ts'
import type { Observer, UnitState } from '../core/host.ts'
import type { Accounts } from './accounts.ts'
import { runCommand } from './command.ts'
import { packageQuery, parsePackages } from './dpkg.ts'
import { askableName, askedAgain, parseUnits, unitQuery } from './systemd.ts'

/** Reads that many steps make: all that ask in one turn of the loop share one command. */
export function createBatch(accounts: Accounts): Observer['batch'] {
  const units = together(showUnits)
  const packages = together(queryPackages)
  return {
    unit: async (name) => await units(askableName(name)),
    packageVersion: async (name) => await packages(name),
    userId: async (name) => (await accounts.user(name))?.id,
    groupId: async (name) => await accounts.groupId(name),
  }
}

/**
 * Collects the keys that are asked for until the loop has turned, and while an earlier question is
 * being answered; asks for all of them at once. Nothing is remembered: who asks later sees the host
 * as it is then.
 */
export function together<Value>(
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value> {
  let collecting: { keys: Set<string>; answer: Promise<ReadonlyMap<string, Value>> } | undefined
  let running: Promise<unknown> = Promise.resolve()

  const begin = () => {
    const keys = new Set<string>()
    const answer = running.then(turnOfTheLoop).then(async () => {
      collecting = undefined
      return await load([...keys])
    })
    running = answer.catch(() => {})
    return { keys, answer }
  }

  return async (key) => {
    collecting ??= begin()
    collecting.keys.add(key)
    return (await collecting.answer).get(key) as Value
  }
}

async function turnOfTheLoop(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

async function showUnits(names: readonly string[]): Promise<ReadonlyMap<string, UnitState>> {
  const { code, stdout, stderr } = await askedAgain(() => runCommand(unitQuery(names)))
  if (code === 0) return parseUnits(names, stdout)
  // No systemd, or none yet that answers: a container, a rescue shell, early boot.
  if (/not been booted with systemd|Failed to connect to bus/.test(stderr))
    throw new NotYet(`systemd is not running: ${stderr.trim()}`)
  throw failed('systemctl show', code, stderr)
}

async function queryPackages(
  names: readonly string[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const { code, stdout, stderr } = await runCommand(packageQuery(names))
  // 1: one of the packages is unknown; the others are answered all the same.
  if (code > 1) throw failed('dpkg-query', code, stderr)
  return parsePackages(names, stdout)
}

function failed(command: string, code: number, stderr: string): TwonodeError {
  const message = `${command} exited ${code}: ${stderr.split('\n')[0] ?? ''}`
  return new TwonodeError('E_COMMAND_FAILED', message, { detail: stderr })
}
