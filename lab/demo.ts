import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Table from 'cli-table3'
import { createConsola } from 'consola'
import { spawn } from 'node:child_process'
import { messageOf } from '../src/core/errors.ts'
import { run } from './command.ts'
import { openLab, removeByName, type Lab } from './lab.ts'
import { failoverRows, showFailover } from './demo_failover.ts'
import { expect, kubectl, rowsOf } from './demo_hosts.ts'
import { showStall, showStallEnded } from './demo_stall.ts'
import { LabError } from './lab_error.ts'
import { progressOnStderr } from './progress.ts'

/** A lab of its own, so that one that is up is not disturbed. */
const LAB_NAME = 'demo'

const ROOT = process.env['TWONODE_ROOT'] ?? process.cwd()

/** What a person watches; the progress of the parts goes to stderr. */
const screen = createConsola({
  stdout: process.stdout,
  stderr: process.stdout,
  formatOptions: { date: false },
})

const printProgress = progressOnStderr()
const timings: [what: string, seconds: string][] = []
let failover: ReturnType<typeof failoverRows> = []

async function main(): Promise<void> {
  const keep = process.argv.includes('--keep')
  const lab = await openLab({ name: LAB_NAME, onProgress: printProgress })
  try {
    await show(lab)
  } finally {
    if (!keep) await part('lab down', () => removeByName(LAB_NAME, printProgress))
  }
  printTimings()
  if (keep) say(`The lab '${LAB_NAME}' is still up: npm run lab -- down --name ${LAB_NAME}`)
}

async function show(lab: Lab): Promise<void> {
  const artefacts = lab.artefacts()
  // Awaited below; a build that fails early must not be an unhandled rejection meanwhile.
  artefacts.catch(() => undefined)
  heading('Two bare Debian hosts')
  await part('two bare hosts', async () => {
    await lab.up()
    await lab.reset()
  })
  await part('kine and the k3s stand-in', () => artefacts)
  const inventory = join(lab.directory, 'inventory.yaml')
  await writeFile(inventory, lab.inventoryYaml(await artefacts))

  heading('Converge: bare Debian to a Kubernetes pair')
  await part('first converge', () => twonode(['converge', '-i', inventory]))
  heading('Converge again: nothing to do')
  await part('second converge', () => secondConverge(inventory))

  heading('A ConfigMap, written through the follower')
  await part('write and read', () => writeThroughFollower(lab))
  heading('No acknowledgement without the follower')
  await part('stall and resume', () => showStall(lab, say))
  await part('stall ended by the agents', () => showStallEnded(lab, say))
  await part('verify', () => twonode(['verify', '-i', inventory]))

  heading('The leader loses its power while a writer writes')
  const trial = await part('failover and return', () => showFailover(lab, say))
  failover = failoverRows(trial)
  expect(trial.gap !== undefined && trial.paired !== undefined, 'no failover, or no return')
  expect(trial.lost === 0, `acknowledged writes lost: ${trial.lost}`)
}

async function secondConverge(inventory: string): Promise<void> {
  const ended = await run(cli(['converge', '-i', inventory, '--json']), { timeoutMs: 120_000 })
  process.stderr.write(ended.stderr)
  const last = ended.stdout.trim().split('\n').at(-1) ?? ''
  expect(ended.code === 0, `the second converge exited with ${ended.code}: ${last}`)
  const { hosts } = JSON.parse(last) as { hosts: Record<string, { changed: number; ok: number }> }
  for (const [host, { changed, ok }] of Object.entries(hosts)) {
    expect(changed === 0, `${host}: ${changed} changed in the second run`)
    say(`  ${host}: ${ok} ok, 0 changed`)
  }
}

async function writeThroughFollower(lab: Lab): Promise<void> {
  await kubectl(lab, 'h2', ['create', 'configmap', 'demo', '--from-literal=opened=yes'])
  say('  written through h2, the follower')
  const at = `https://${lab.virtualIp}:6443`
  const read = await kubectl(lab, 'h1', [
    '--server',
    at,
    'get',
    'configmap',
    'demo',
    '-o',
    'jsonpath={.data.opened}',
  ])
  expect(read.stdout === 'yes', `read '${read.stdout}' at the virtual IP`)
  say(`  read at the virtual IP, ${lab.virtualIp}`)
  for (const host of ['h1', 'h2'] as const) {
    const rows = await rowsOf(lab, host, 'demo')
    expect(rows === 1, `${host}'s PostgreSQL has ${rows} rows of it`)
    say(`  stands in ${host}'s PostgreSQL`)
  }
}

/** Runs the command line with our terminal, so that its progress is seen as a user sees it. */
async function twonode(args: readonly string[]): Promise<void> {
  const [program = '', ...rest] = cli(args)
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('close', (status) => resolve(status ?? 1))
  })
  expect(code === 0, `twonode ${args.join(' ')} exited with ${code}`)
}

function cli(args: readonly string[]): string[] {
  return [process.execPath, join(ROOT, 'dist/twonode.mjs'), ...args]
}

async function part<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = Date.now()
  const result = await work()
  timings.push([what, ((Date.now() - began) / 1000).toFixed(1)])
  return result
}

function printTimings(): void {
  const table = new Table({
    head: ['part', 'seconds'],
    colAligns: ['left', 'right'],
    style: { head: [], border: [] },
  })
  for (const row of timings) table.push(row)
  process.stdout.write(`\n${table.toString()}\n`)
  const rows = failover.map(([what, value]) => `${what}: ${value}`)
  process.stdout.write(`\n${rows.join('\n')}\n`)
}

function heading(text: string): void {
  screen.log(`\n== ${text}`)
}

function say(text: string): void {
  screen.success(text.trim())
}

try {
  await main()
} catch (error) {
  const hint = error instanceof LabError ? `\n  ${error.hint}` : ''
  process.stderr.write(`demo: ${messageOf(error)}${hint}\n`)
  process.exitCode = error instanceof LabError ? error.exitCode : 70
}
