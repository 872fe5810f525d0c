import { beforeEach, expect, test } from 'vitest'
import type { Hands } from '../../src/cli/upgrade_hands.ts'
import { DRAINED_MARK, type LookedHost } from '../../src/cli/upgrade_look.ts'
import type { UpgradeWanted } from '../../src/cli/upgrade_plan.ts'
import { runUpgrade } from '../../src/cli/upgrade_run.ts'

const WANTED: UpgradeWanted = {
  kine: 'v1',
  k3s: undefined,
  postgresMinor: false,
  packages: false,
  reboot: false,
  keepRoles: false,
  allowDowngrade: false,
}

/** A host as Kubernetes, its agent and apt show it. */
class Machine {
  readonly name: string
  leads: boolean
  isCordoned = false
  isMarked = false
  hasKine = false
  hasPackages = true
  /** What verify finds once kine is the new one. */
  breaksWith: string | undefined
  /** Its API server gives an answer from this look on. */
  answersFrom = 0

  constructor(name: string, leads: boolean) {
    this.name = name
    this.leads = leads
  }

  node(look: number): LookedHost['node'] {
    if (look < this.answersFrom) return 'unknown'
    if (this.isMarked) return 'drained'
    return this.isCordoned ? 'cordoned' : 'there'
  }
}

let h1: Machine
let h2: Machine
let log: string[]
/** The look before which the other host has become the leader, by itself. */
let movesAt: number

beforeEach(() => {
  h1 = new Machine('h1', true)
  h2 = new Machine('h2', false)
  movesAt = 0
})

function machineOf(names: readonly string[]): Machine {
  const [name] = names
  if (name === 'h1') return h1
  if (name === 'h2') return h2
  throw new Error(`nobody asks for ${name}`)
}

function looked(machine: Machine, look: number): LookedHost {
  const { name, leads, hasKine, hasPackages } = machine
  const status = leads ? { mode: 'paired', stream: 'caught-up' } : { promotable: true }
  return {
    name,
    leads,
    kine: { current: hasKine, version: null },
    k3s: { current: true, version: null },
    postgresPackages: hasPackages ? [] : ['postgresql-15'],
    packages: hasPackages ? [] : ['libc6'],
    upMs: 1e9,
    bootId: 'b',
    boot: 'none',
    node: machine.node(look),
    status: { settled: 'yes', ...status },
  }
}

/** Does what kubectl would. */
function kubectl(machine: Machine, argv: readonly string[]): void {
  const [, , verb = '', ...more] = argv
  if (verb === 'drain') machine.isCordoned = true
  if (verb === 'uncordon') machine.isCordoned = false
  if (verb === 'annotate') machine.isMarked = !more.includes(`${DRAINED_MARK}-`)
}

function hands(): Hands {
  let looks = 0
  return {
    ask: async (host, words) => void log.push(`${host ?? 'both'}: ${words.join(' ')}`),
    look: async () => {
      looks += 1
      if (looks === movesAt) for (const machine of [h1, h2]) machine.leads = !machine.leads
      return [h1, h2].map((machine) => looked(machine, looks))
    },
    findings: async (host) => {
      const { hasKine, breaksWith } = machineOf([host])
      return hasKine && breaksWith !== undefined ? [breaksWith] : []
    },
    switchOver: async (to) => {
      log.push(`the lead goes to ${to}`)
      for (const machine of [h1, h2]) machine.leads = machine.name === to
    },
    converge: async (limit) => {
      if (limit.length > 0) machineOf(limit).hasKine = true
    },
    commands: async (limit, tasks) => {
      for (const { command } of tasks as readonly { command: { argv: readonly string[] } }[]) {
        const words = command.argv.join(' ').replace('/usr/local/bin/k3s ', '')
        log.push(`${limit.join()}: ${words.split(' --', 1)[0] ?? ''}`)
        if (limit.length > 0) kubectl(machineOf(limit), command.argv)
      }
    },
  }
}

/** One `twonode upgrade`: a gate that does not open at its first look never does. */
async function run(wanted: Partial<UpgradeWanted> = {}): Promise<number> {
  log = []
  let now = 0
  const parts = {
    flags: { check: false },
    world: { now: () => (now += 400_000) },
    teller: {
      say: ({ message }: { readonly message: string }) => void log.push(message),
      fail: ({ message }: Error) => {
        log.push(message)
        return 3
      },
    },
    postgres: 15,
    drainTimeout: '5m',
    command: 'twonode upgrade',
    over: new AbortController().signal,
  } as unknown as Parameters<typeof runUpgrade>[1]
  return await runUpgrade({ ...WANTED, ...wanted }, parts, hands())
}

const at = (words: string): number => log.findIndex((line) => line.includes(words))

test('28: each node is drained before the work and taken back behind the gate, the follower first', async () => {
  expect(await run()).toBe(0)
  const order = [
    'kubectl drain h2',
    'gate after kine on h2',
    'kubectl uncordon h2',
    'the lead goes to h2',
    'kubectl drain h1',
    'kubectl uncordon h1',
    'both: resume',
  ].map((words) => at(words.replace('gate ', '')))
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(order).not.toContain(-1)
  expect([h1.isCordoned, h2.isCordoned, h1.isMarked, h2.isMarked]).toEqual(Array(4).fill(false))
})

test('28: a run that stopped at the gate of the follower is gone on with by taking that node back, before the other one is drained', async () => {
  h2.breaksWith = 'the API server is not ready'
  expect(await run()).toBe(3)
  expect([h2.isCordoned, h2.isMarked]).toEqual([true, true])
  h2.breaksWith = undefined
  expect(await run()).toBe(0)
  expect(log.slice(0, 2)).toEqual(['h2 follows: its node is taken back', 'h1 leads: kine'])
  expect(at('kubectl uncordon h2')).toBeGreaterThan(-1)
  expect(at('kubectl uncordon h2')).toBeLessThan(at('kubectl drain h1'))
  expect(h2.isCordoned).toBe(false)
})

test('28: with nothing left to be done a gate that does not open is still the end of the run', async () => {
  h1.breaksWith = 'the API server is not ready'
  expect(await run()).toBe(3)
  h1.isMarked = false
  expect(await run()).toBe(3)
  expect(log.at(-1)).toContain('the API server is not ready')
})

test('28: a node whose API server gives no answer at first is drained all the same', async () => {
  h2.answersFrom = 2
  expect(await run()).toBe(0)
  expect(at('kubectl drain h2')).toBeGreaterThan(-1)
})

test('28: a node that somebody else has cordoned is drained, and stays so', async () => {
  h2.isCordoned = true
  expect(await run()).toBe(0)
  expect(h2.isCordoned).toBe(true)
  expect(log).toContain('h2 stays cordoned, as it was')
})

test('28: a lead that moved while the first gate was waited for is handed over by who has it', async () => {
  movesAt = 2
  expect(await run()).toBe(0)
  expect(log[0]).toBe('h2 follows: kine')
  expect(at('the lead goes to h1')).toBeGreaterThan(-1)
  expect(at('the lead goes to h1')).toBeLessThan(at('kubectl drain h2'))
})

test('the pause, and the leave of a host that stops, are begun anew before each step of it', async () => {
  for (const machine of [h1, h2]) {
    machine.hasKine = true
    machine.hasPackages = false
  }
  await run({ kine: undefined, postgresMinor: true, packages: true })
  const first = log.slice(0, at('h2 is done'))
  const count = (line: string) => first.filter((one) => one === line).length
  expect(count('both: pause --for 1h')).toBe(3)
  expect(count('h2: leave --for 1h')).toBe(2)
})
