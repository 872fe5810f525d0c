import { setTimeout as pause } from 'node:timers/promises'
import Table from 'cli-table3'
import { openLab, removeByName, type Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab_error.ts'
import { HOST_NAMES, labObjects, type HostName } from '../lab/names.ts'
import { readProcess, statField, unitProcesses } from '../lab/processes.ts'
import { progressOnStderr } from '../lab/progress.ts'
import { converge, explain, makeLaptop } from '../lab/twonode_process.ts'

const LAB_NAME = 'benchag'
const UNIT = 'twonode-agent.service'

/** Between two looks. @unit milliseconds */
const EVERY_MS = 5_000

/** Before it the heap still grows to its size at rest. @unit minutes */
const SETTLED_AFTER = 2

/** CLK_TCK, which is 100 on every Linux that Debian runs on. */
const TICKS_A_SECOND = 100

const BARS = { rssMb: 100, anonMb: 45, cpuPercent: 1, growthMb: 3 }

interface Sample {
  /** @unit milliseconds of a monotonic clock */
  readonly at: number
  readonly rssMb: number
  readonly anonMb: number
  /** CPU time of the agent's processes until now. @unit seconds */
  readonly cpuSeconds: number
}

interface Row {
  readonly host: HostName
  readonly rssMb: number
  readonly anonMb: number
  readonly cpuPercent: number
  /** RssAnon at the end, less what it was when settled. */
  readonly growthMb: number
}

/** What the agents of a pair at rest take, from /proc. Exits 3 when that is more than a bar. */
export async function benchAgent({
  minutes,
  json = false,
}: {
  minutes: number
  json?: boolean
}): Promise<void> {
  const lab = await openLab({ name: LAB_NAME, onProgress: progressOnStderr() })
  let rows: Row[]
  try {
    await Promise.all([lab.up(), lab.artefacts()])
    await lab.reset()
    const first = await converge(await makeLaptop(lab, 'bench'))
    if (first.code !== 0) throw new LabError(explain(first), 'Converge the lab by hand and look.')
    rows = await measure(lab, minutes)
  } finally {
    await removeByName(LAB_NAME, progressOnStderr())
  }
  print(rows, minutes, json)
  if (!rows.every(holds)) process.exitCode = 3
}

async function measure(lab: Lab, minutes: number): Promise<Row[]> {
  const samples: Record<HostName, Sample[]> = { h1: [], h2: [] }
  const deadline = performance.now() + minutes * 60_000
  do {
    for (const host of HOST_NAMES) samples[host].push(sample(lab, host))
    await pause(EVERY_MS)
  } while (performance.now() < deadline)
  return HOST_NAMES.map((host) => rowOf(host, samples[host]))
}

function sample(lab: Lab, host: HostName): Sample {
  const object = labObjects(lab.name).hosts[host]
  const [agent] = unitProcesses(object, UNIT, true)
  if (agent === undefined) throw new LabError(`${host} runs no agent`, `Look at ${UNIT} there.`)
  const status = readProcess(agent, 'status')
  const megabytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
  return {
    at: performance.now(),
    rssMb: megabytes('VmRSS'),
    anonMb: megabytes('RssAnon'),
    cpuSeconds: unitProcesses(object, UNIT, false).reduce((sum, pid) => sum + cpuOf(pid), 0),
  }
}

/** User and system time, fields 14 and 15 of proc_pid_stat(5). */
function cpuOf(pid: number): number {
  const ticks = [14, 15].map((field) => Number(statField(pid, field) ?? 0))
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_A_SECOND
}

function rowOf(host: HostName, samples: readonly Sample[]): Row {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) throw new RangeError('no samples')
  const settled = samples.find(({ at }) => at - first.at >= SETTLED_AFTER * 60_000) ?? first
  return {
    host,
    rssMb: Math.max(...samples.map(({ rssMb }) => rssMb)),
    anonMb: Math.max(...samples.map(({ anonMb }) => anonMb)),
    cpuPercent: ((last.cpuSeconds - first.cpuSeconds) / ((last.at - first.at) / 1000)) * 100,
    growthMb: last.anonMb - settled.anonMb,
  }
}

function holds(row: Row): boolean {
  return (['rssMb', 'anonMb', 'cpuPercent', 'growthMb'] as const).every(
    (measure) => row[measure] <= BARS[measure],
  )
}

function print(rows: readonly Row[], minutes: number, json: boolean): void {
  if (json)
    return void process.stdout.write(
      `${JSON.stringify({ bench: 'agent', minutes, rows, bars: BARS })}\n`,
    )
  const head = [
    'host',
    'VmRSS',
    'RssAnon',
    'CPU of a core',
    `RssAnon since minute ${SETTLED_AFTER}`,
  ]
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const { host, rssMb, anonMb, cpuPercent, growthMb } of rows)
    table.push([host, mb(rssMb), mb(anonMb), `${cpuPercent.toFixed(2)} %`, mb(growthMb)])
  const { rssMb, anonMb, cpuPercent, growthMb } = BARS
  table.push(['bar', mb(rssMb), mb(anonMb), `${cpuPercent} %`, mb(growthMb)])
  process.stdout.write(
    `the agents of a pair at rest, the most within ${minutes} minutes\n${table.toString()}\n`,
  )
}

function mb(value: number): string {
  return `${value.toFixed(1)} MB`
}
