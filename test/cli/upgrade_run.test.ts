import { beforeEach, expect, test } from 'vitest'
import { TwonodeError } from '../../src/core/errors.ts'
import type { Hands } from '../../src/cli/upgrade_hands.ts'
import { DRAINED_MARK, type LookedHost } from '../../src/cli/upgrade_look.ts'
import type { UpgradeWanted } from '../../src/cli/upgrade_plan.ts'
import { runUpgrade } from '../../src/cli/upgrade_run.ts'
import { siteOf } from '../support/site.ts'

const WANTED: UpgradeWanted = {
  kine: 'v1',
  k3s: undefined,
  postgresMajor: undefined,
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
  /** By a dpkg that was killed between two of PostgreSQL's scripts: its server is stopped. */
  dpkgCut = false
  /** PostgreSQL's major version that serves; null: in between. */
  serves: number | null = 15
  agentsSite = 15
  /** A move of it is cut when the old cluster has stopped. */
  isCut = false
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
  const { name, leads, hasKine, hasPackages, serves, agentsSite } = machine
  const status = leads ? { mode: 'paired', stream: 'caught-up' } : { promotable: serves !== null }
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
    dpkgCut: machine.dpkgCut,
    node: machine.node(look),
    status: { settled: 'yes', ...status },
    postgres: { serves, site: agentsSite, keptAside: [], size: null, room: null },
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
      const { hasKine, breaksWith, dpkgCut } = machineOf([host])
      if (dpkgCut) return ['PostgreSQL does not run']
      return hasKine && breaksWith !== undefined ? [breaksWith] : []
    },
    switchOver: async (to) => {
      log.push(`the lead goes to ${to}`)
      for (const machine of [h1, h2]) machine.leads = machine.name === to
    },
    converge: async (limit) => {
      if (limit.length > 0) machineOf(limit).hasKine = true
    },
    install: async (host, version) => void log.push(`${host}: programs of ${version}`),
    goOver: async (host, version) => {
      const machine = machineOf([host])
      log.push(`${host}: over to ${version}`)
      if (machine.leads) throw new Error('an empty cluster leads')
      machine.serves = null
      if (machine.isCut) throw new TwonodeError('E_FAILED', 'cut')
      machine.serves = version
      machine.agentsSite = version
    },
    commands: async (limit, tasks) => {
      for (const { command } of tasks as readonly { command: { argv: readonly string[] } }[]) {
        const words = command.argv.join(' ').replace('/usr/local/bin/k3s ', '')
        log.push(`${limit.join()}: ${words.split(' --', 1)[0] ?? ''}`)
        if (limit.length === 0) continue
        if (command.argv[0] === 'dpkg') machineOf(limit).dpkgCut = false
        kubectl(machineOf(limit), command.argv)
      }
    },
  }
}

/** One `twonode upgrade`: a gate that does not open at its first look never does. */
async function run(wanted: Partial<UpgradeWanted> = {}, site = siteOf()): Promise<number> {
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
    site,
    drain: { timeout: '5m', force: false },
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

test('28: what a killed dpkg has left on the follower is finished before the first gate, which would not open for a PostgreSQL that it has stopped', async () => {
  h2.dpkgCut = true
  h2.hasPackages = false
  await run({ kine: undefined, packages: true })
  expect(at('h2: leave --for 1h')).toBeGreaterThan(-1)
  expect(at('h2: leave --for 1h')).toBeLessThan(at('h2: dpkg'))
  expect(at('h2: dpkg')).toBeLessThan(at('before anything is done'))
  expect(at('before anything is done')).toBeLessThan(at('kubectl drain h2'))
})

test('28: of a killed dpkg an upgrade without packages says nothing but what verify finds', async () => {
  h2.dpkgCut = true
  expect(await run()).toBe(3)
  expect(at('h2: dpkg')).toBe(-1)
  expect(log.at(-1)).toContain('h2: PostgreSQL does not run')
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

const SEVENTEEN = siteOf({
  postgres: {
    ...siteOf().postgres,
    version: 17,
    dataDirectory: '/var/lib/postgresql/17/main',
  },
})
const TO_17 = { kine: undefined, postgresMajor: 17 }

test('a major version of PostgreSQL comes to the follower first, which its leader lets go; then the lead is handed over', async () => {
  expect(await run(TO_17, SEVENTEEN)).toBe(0)
  const order = [
    'h2: programs of 17',
    'h2: leave --for 1h',
    'h2: over to 17',
    'after postgres-major on h2',
    'the lead goes to h2',
    'h1: leave --for 1h',
    'h1: over to 17',
    'after postgres-major on h1',
    'both: resume',
    'pg_dropcluster 15 main',
  ].map(at)
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(order).not.toContain(-1)
  expect([h1.serves, h2.serves]).toEqual([17, 17])
  expect(await run(TO_17, SEVENTEEN), 'nothing is left to do').toBe(0)
  expect(at('over to 17')).toBe(-1)
})

test('a follower that was cut between two clusters is gone on with before any gate: no pair is whole without it', async () => {
  h2.isCut = true
  expect(await run(TO_17, SEVENTEEN)).toBe(3)
  expect([h1.serves, h2.serves]).toEqual([15, null])
  h2.isCut = false
  expect(await run(TO_17, SEVENTEEN)).toBe(0)
  expect(at('h2: over to 17')).toBeLessThan(at('after postgres-major on h2'))
  expect(at('before anything is done')).toBe(-1)
  expect([h1.serves, h2.serves]).toEqual([17, 17])
})

test('another upgrade of a pair whose inventory has a newer major version is refused, and says what brings it', async () => {
  expect(await run({}, SEVENTEEN)).not.toBe(0)
  expect(log.at(-1)).toBe('PostgreSQL 15 serves on h1, and the inventory has 17')
})
