import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Table from 'cli-table3'
import { run, type Ended } from '../lab/command.ts'
import { openLab, removeByName, type Lab } from '../lab/lab.ts'
import { LabError } from '../lab/lab_error.ts'
import { progressOnStderr } from '../lab/progress.ts'
import { median } from './median.ts'
import {
  ANSIBLE_TEMPLATE,
  ansiblePlaybook,
  OUR_TEMPLATE,
  ourPlaybook,
  TASK_COUNT,
} from './tasks.ts'

/** A lab of its own: its hosts have Python, which Ansible needs there and twonode does not. */
const LAB_NAME = 'bench'

/** Round-trip times that are measured, and how many times faster than Ansible we must be there. */
const NETWORKS = [
  { name: 'LAN', rttMs: 0, atLeast: 10 },
  { name: '100 ms', rttMs: 100, atLeast: 15 },
] as const

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

interface Row {
  readonly network: string
  readonly twonodeMs: number
  readonly ansibleMs: number
  readonly ratio: number
  readonly atLeast: number
}

interface Tool {
  /** Runs the playbook once and says whether anything was changed. */
  once(): Promise<{ changed: boolean }>
}

/** Measures both tools on the same hosts, one after the other, and prints medians. */
export async function benchConverge({
  runs,
  json = false,
}: {
  runs: number
  json?: boolean
}): Promise<void> {
  const lab = await openLab({ name: LAB_NAME, python: true, onProgress: progressOnStderr() })
  try {
    await lab.up()
    const tools = { twonode: twonodeTool(lab), ansible: ansibleTool(lab) }
    const rows: Row[] = []
    for (const network of NETWORKS) {
      for (const host of ['h1', 'h2'] as const) await lab.delay(host, network.rttMs)
      // The first run of each changes; the second must not: then both measure the same nothing.
      for (const [name, tool] of Object.entries(tools)) await settle(name, tool)
      const [ours, theirs] = await takeTurns(network.name, tools, runs)
      rows.push({
        network: network.name,
        twonodeMs: median(ours),
        ansibleMs: median(theirs),
        ratio: median(theirs) / median(ours),
        atLeast: network.atLeast,
      })
    }
    print(rows, runs, json)
    if (rows.some(({ ratio, atLeast }) => ratio < atLeast)) process.exitCode = 3
  } finally {
    await removeByName(LAB_NAME, progressOnStderr())
  }
}

async function settle(name: string, tool: Tool): Promise<void> {
  await tool.once()
  const { changed } = await tool.once()
  if (changed)
    throw new LabError(
      `${name} changes something in its second run`,
      'Run its playbook by hand and look.',
    )
}

/** One run of each after the other: what else goes on on this machine hits both alike. */
async function takeTurns(
  network: string,
  { twonode, ansible }: { readonly twonode: Tool; readonly ansible: Tool },
  runs: number,
): Promise<readonly [ours: number[], theirs: number[]]> {
  const [ours, theirs]: [number[], number[]] = [[], []]
  for (let n = 0; n < runs; n += 1) {
    const [our, their] = [await timed(twonode), await timed(ansible)]
    ours.push(our)
    theirs.push(their)
    process.stderr.write(
      `${network}, run ${n + 1} of ${runs}: twonode ${seconds(our)}, ansible ${seconds(their)}\n`,
    )
  }
  return [ours, theirs]
}

/** @unit milliseconds */
async function timed(tool: Tool): Promise<number> {
  const began = performance.now()
  await tool.once()
  return performance.now() - began
}

function twonodeTool(lab: Lab): Tool {
  const folder = workFolder(lab, 'twonode')
  const inventory = join(folder, 'inventory.yaml')
  writeFileSync(inventory, lab.inventoryYaml())
  writeFileSync(join(folder, 'bench.yaml'), ourPlaybook())
  writeFileSync(join(folder, 'greeting'), OUR_TEMPLATE)
  const argv = [
    process.execPath,
    join(ROOT, 'dist/twonode.mjs'),
    'converge',
    join(folder, 'bench.yaml'),
    '-i',
    inventory,
    '--json',
  ]
  return {
    async once() {
      const last = (await succeed(argv, {})).stdout.trim().split('\n').at(-1) ?? '{}'
      const { hosts } = JSON.parse(last) as { hosts: Record<string, { changed: number }> }
      return { changed: Object.values(hosts).some(({ changed }) => changed > 0) }
    },
  }
}

function ansibleTool(lab: Lab): Tool {
  const folder = workFolder(lab, 'ansible')
  const { h1, h2 } = lab.hosts
  const host = (name: string, { address, user, keyFile }: typeof h1): string =>
    `${name} ansible_host=${address} ansible_user=${user} ansible_ssh_private_key_file=${keyFile} ansible_become=${user !== 'root'} ansible_python_interpreter=/usr/bin/python3`
  writeFileSync(join(folder, 'hosts'), `${host('h1', h1)}\n${host('h2', h2)}\n`)
  writeFileSync(join(folder, 'bench.yaml'), ansiblePlaybook())
  writeFileSync(join(folder, 'greeting.j2'), ANSIBLE_TEMPLATE)
  // Pipelining is the fastest setting that Ansible itself has; ControlPersist is its default.
  const config = `[defaults]\nretry_files_enabled = False\n[ssh_connection]\npipelining = True\nssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=${lab.knownHostsFile}\n`
  writeFileSync(join(folder, 'ansible.cfg'), config)
  const env = { ANSIBLE_CONFIG: join(folder, 'ansible.cfg'), ANSIBLE_NOCOLOR: '1' }
  return {
    async once() {
      const { stdout } = await succeed(
        ['ansible-playbook', '-i', join(folder, 'hosts'), join(folder, 'bench.yaml')],
        env,
      )
      return { changed: /changed=[1-9]/.test(stdout) }
    },
  }
}

function workFolder(lab: Lab, tool: string): string {
  const folder = join(lab.directory, 'bench', tool)
  mkdirSync(folder, { recursive: true })
  return folder
}

async function succeed(argv: readonly string[], env: Record<string, string>): Promise<Ended> {
  const ended = await run(argv, { timeoutMs: 300_000, env })
  if (ended.code !== 0)
    throw new LabError(
      `${argv.join(' ')} exited with ${ended.code}\n${ended.stdout.slice(-2000)}${ended.stderr.slice(-2000)}`,
      'Run it by hand and look.',
    )
  return ended
}

function print(rows: readonly Row[], runs: number, json: boolean): void {
  if (json)
    return void process.stdout.write(
      `${JSON.stringify({ bench: 'converge', tasks: TASK_COUNT, runs, rows })}\n`,
    )
  const table = new Table({
    head: ['network', 'twonode', 'ansible, pipelining', 'times faster', 'bar'],
    style: { head: [], border: [] },
  })
  for (const { network, twonodeMs, ansibleMs, ratio, atLeast } of rows)
    table.push([network, seconds(twonodeMs), seconds(ansibleMs), ratio.toFixed(1), `≥ ${atLeast}`])
  process.stdout.write(
    `2 hosts × ${TASK_COUNT} tasks with nothing to do, median of ${runs} runs\n${table.toString()}\n`,
  )
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}
