import { constants } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { artefacts } from './artefacts.ts'
import { forVagrant } from './box/add_box.ts'
import { endCommands } from './command.ts'
import { removeByName } from './down.ts'
import { openLab, type Lab, type LabOptions } from './lab.ts'
import { LabError } from './lab_error.ts'
import { HOST_NAMES, type HostName } from './names.ts'
import type { Cut } from './network.ts'
import { progressOnStderr } from './progress.ts'
import { DEFAULT_LAB, labNames, readState, type LabKind } from './state.ts'

const program = new Command('lab')
  .description('Two real Debian hosts on this machine, for tests and trials. Needs root.')
  .enablePositionalOptions()
  .showHelpAfterError()

/** A subcommand on one lab; all but `up` refuse a lab that does not exist. */
function command(usage: string, summary: string): Command {
  return program
    .command(usage)
    .description(summary)
    .option('--name <name>', 'which lab, 1 to 8 characters', DEFAULT_LAB)
}

function parseHost(text: string): HostName {
  const host = HOST_NAMES.find((name) => name === text)
  if (host === undefined) throw new InvalidArgumentError(`hosts are ${HOST_NAMES.join(' and ')}.`)
  return host
}

function parseFrom(text: string): Cut['from'] {
  if (text === 'peer' || text === 'gateway' || text === 'all') return text
  throw new InvalidArgumentError('one of peer, gateway, all.')
}

function parseMilliseconds(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 10_000)
    throw new InvalidArgumentError('whole milliseconds from 0 to 10000.')
  return value
}

function parsePercent(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 100))
    throw new InvalidArgumentError('a number from 0 to 100.')
  return value
}

function parseSeconds(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('whole seconds, + or -.')
  return value
}

function parseSeed(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 2 ** 31)
    throw new InvalidArgumentError('a whole number from 0.')
  return value
}

function parseSignal(text: string): NodeJS.Signals {
  if (text in constants.signals) return text as NodeJS.Signals
  throw new InvalidArgumentError('a name such as SIGKILL, SIGSTOP or SIGCONT.')
}

async function existing({ name }: { name: string }): Promise<Lab> {
  const state = await readState(name)
  if (state === undefined)
    throw new LabError(`no lab '${name}'`, `npm run lab -- up --name ${name}`, { exitCode: 2 })
  return await openLab({ name, python: state.python, onProgress: progressOnStderr() })
}

function print(value: unknown): void {
  process.stdout.write(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`)
}

command('up', 'bring both hosts up, and build kine and the k3s stand-in')
  .option('--python', 'hosts with Python on them')
  .option('--volatile', 'disks without fsync: quicker, and no measure of anything')
  .option('--no-artefacts', 'do not build kine and the k3s stand-in')
  .action(async (options: { artefacts: boolean } & Pick<LabOptions, 'name' | keyof LabKind>) => {
    const onProgress = progressOnStderr()
    const lab = await openLab({ ...options, onProgress })
    // Both at once: the builds take the longest, the first time.
    await Promise.all([lab.up(), options.artefacts ? lab.artefacts() : undefined])
    const { h1, h2 } = lab.hosts
    print(`lab '${lab.name}' is up: h1 ${h1.user}@${h1.address}, h2 ${h2.user}@${h2.address}`)
    print(`ssh -i ${h1.keyFile} -o UserKnownHostsFile=${lab.knownHostsFile} root@${h1.address}`)
  })

// The suite has them built while it checks and runs the unit tests.
program
  .command('artefacts')
  .description('build kine and the k3s stand-in, unless they are built')
  .action(async () => {
    await artefacts(progressOnStderr())
  })

// For the Vagrantfile, where no catalogue of boxes is reachable: `export $(npm run -s lab -- box)`.
program
  .command('box')
  .description(
    "a Debian 12 box for libvirt, built and added to Vagrant; prints the Vagrantfile's variables",
  )
  .action(async () => {
    const { variables, why } = await forVagrant(progressOnStderr())
    process.stderr.write(`lab: ${why}\n`)
    print(variables)
  })

command('down', 'remove the lab from this machine; caches stay')
  .option('--all', 'every lab')
  .action(async ({ name, all }: { name: string; all?: boolean }) => {
    for (const lab of all === true ? await labNames() : [name])
      await removeByName(lab, progressOnStderr())
  })

command('snapshot <snapshot>', 'keep both hosts as they are now, under this name').action(
  async (snapshot: string, options) => (await existing(options)).snapshot(snapshot),
)

command('reset', 'both hosts anew: bare, or as in a snapshot')
  .option('--to <snapshot>', 'the snapshot')
  .option('--small-disks', 'with disks that fill-disk can fill')
  .action(async (options: { name: string; to?: string; smallDisks?: boolean }) =>
    (await existing(options)).reset(options.to, { smallDisks: options.smallDisks ?? false }),
  )

command('renew <host>', "another machine in a host's place, bare, with its name, address and key")
  .option('--like <snapshot>', 'with the disk that the host had there')
  .option('--old', 'the machine that stood there before, as it lost its power')
  .action(async (host: string, options: { name: string; like?: string; old?: boolean }) =>
    (await existing(options)).renew(
      parseHost(host),
      options.old === true ? 'the old one' : { like: options.like },
    ),
  )

command('status', 'what is up')
  .option('--json', 'for programs')
  .action(async (options: { name: string; json?: boolean }) => {
    const status = await (await existing(options)).status()
    if (options.json === true) return print(status)
    for (const [host, { address, power, ssh }] of Object.entries(status.hosts))
      print(`${host}  ${address}  power ${power}  ssh ${ssh ? 'answers' : 'silent'}`)
    print(`packages ${status.repository ? 'served' : 'not served'}`)
    print(`snapshots: ${status.snapshots.join(', ') || 'none'}`)
    for (const cut of status.cuts)
      print(`cut: ${cut.host} from ${cut.from}${cut.oneWay ? ', what it sends' : ''}`)
    for (const [host, ms] of Object.entries(status.delays))
      if (ms > 0) print(`delay: ${host} ${ms} ms`)
    for (const [host, { percent, seed }] of Object.entries(status.losses))
      if (percent > 0) print(`loss: ${host} ${percent} %, seed ${seed}`)
  })

command('inventory', "this lab's inventory, as YAML, with kine and the k3s stand-in").action(
  async (options: { name: string }) => {
    const lab = await existing(options)
    print(lab.inventoryYaml(await lab.artefacts()).trimEnd())
  },
)

command('exec <host> <argv...>', 'run a command as root inside a host')
  .passThroughOptions()
  .action(async (host: string, argv: string[], options: { name: string }) => {
    const command = argv[0] === '--' ? argv.slice(1) : argv
    const ended = await (
      await existing(options)
    ).exec(parseHost(host), command, {
      timeoutMs: 600_000,
    })
    process.stdout.write(ended.stdout)
    process.stderr.write(ended.stderr)
    process.exitCode = ended.code
  })

command('power-off <host>', 'cut the power of a host').action(async (host: string, options) =>
  (await existing(options)).powerOff(parseHost(host)),
)

command('power-on <host>', 'give it power again').action(async (host: string, options) =>
  (await existing(options)).powerOn(parseHost(host)),
)

command('reboot <host>', 'an orderly reboot').action(async (host: string, options) =>
  (await existing(options)).reboot(parseHost(host)),
)

command('cut <host>', 'break the paths of a host')
  .option('--from <what>', 'peer, gateway (and the laptop), or all', parseFrom, 'all')
  .option('--one-way', 'only what the host sends is lost')
  .action(async (host: string, options: { name: string; from: Cut['from']; oneWay?: boolean }) =>
    (await existing(options)).cut(parseHost(host), {
      from: options.from,
      oneWay: options.oneWay ?? false,
    }),
  )

command('freeze <host>', 'stop all processes of a host where they stand').action(
  async (host: string, options) => (await existing(options)).freeze(parseHost(host)),
)

command('thaw <host>', 'let them go on').action(async (host: string, options) =>
  (await existing(options)).thaw(parseHost(host)),
)

command('heal', 'end all faults but a power cut').action(async (options) =>
  (await existing(options)).heal(),
)

command('delay <host> <ms>', 'a round trip to the host takes that much longer; 0 ends it').action(
  async (host: string, ms: string, options) =>
    (await existing(options)).delay(parseHost(host), parseMilliseconds(ms)),
)

command('loss <host> <percent>', 'so many packets to the host are lost; 0 ends it')
  .option('--seed <n>', 'which ones', parseSeed, 1)
  .action(async (host: string, percent: string, options: { name: string; seed: number }) =>
    (await existing(options)).loss(parseHost(host), parsePercent(percent), options.seed),
  )

command('fill-disk <host>', 'leave a host no room on its disk; see reset --small-disks').action(
  async (host: string, options) => (await existing(options)).fillDisk(parseHost(host)),
)

command('break-postgres <host>', 'PostgreSQL dies and can not start again').action(
  async (host: string, options) => (await existing(options)).breakPostgres(parseHost(host)),
)

command('clock <host> <seconds>', "move a unit's wall clock; the first time restarts it")
  .option('--unit <unit>', 'the agent, or PostgreSQL', 'twonode-agent.service')
  .allowUnknownOption() // A clock that goes back: -3600 is no option.
  .action(async (host: string, seconds: string, options: { name: string; unit: string }) =>
    (await existing(options)).fakeClock(parseHost(host), options.unit, parseSeconds(seconds)),
  )

command('kill <host> <unit>', "signal a unit's processes by their ids, behind systemd's back")
  .option(
    '--signal <signal>',
    'SIGSTOP hangs them, SIGCONT lets them go on',
    parseSignal,
    'SIGKILL',
  )
  .option('--main', 'only the process that systemd started')
  .action(
    async (
      host: string,
      unit: string,
      options: { name: string; signal: NodeJS.Signals; main?: boolean },
    ) => {
      const how = { signal: options.signal, mainOnly: options.main ?? false }
      const count = (await existing(options)).signalUnit(parseHost(host), unit, how)
      print(`${options.signal} to ${count} processes of ${unit} on ${host}`)
    },
  )

// A reader that has seen enough, as `head` does, is no failure.
process.stdout.on('error', () => process.exit(0))

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    endCommands()
    process.exit(130)
  })

try {
  if (process.getuid?.() !== 0)
    throw new LabError('the lab needs root', `sudo ${process.argv.join(' ')}`, { exitCode: 2 })
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof LabError)) throw error
  process.stderr.write(`lab: ${error.message}\n     ${error.hint}\n`)
  process.exitCode = error.exitCode
}
