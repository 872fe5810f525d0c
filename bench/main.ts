import { Command, InvalidArgumentError, Option } from 'commander'
import { endCommands } from '../lab/command.ts'
import { LabError } from '../lab/lab_error.ts'
import { benchAgent } from './agent.ts'
import { benchConverge } from './converge.ts'
import { benchCut, type CutOptions } from './cut.ts'
import { benchCopy, type CopyOptions } from './copy.ts'
import { benchFailover } from './failover.ts'
import { benchSwitchover } from './switchover.ts'
import { benchUpgrade, UPGRADE_KINDS } from './upgrade.ts'
import { benchFollower } from './follower.ts'
import { benchHistory } from './history.ts'

const program = new Command('bench')
  .description('Measures twonode beside its peers, in one run, on labs of its own. Needs root.')
  .showHelpAfterError()

const interruption = new AbortController()

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 4096)
    throw new InvalidArgumentError('1 to 4096.')
  return value
}

program
  .command('converge')
  .description(
    '30 tasks with nothing to do: twonode and ansible-core with pipelining, at 0 and 100 ms',
  )
  .option('--runs <n>', 'runs of each, whose median counts', count, 5)
  .option('--json', 'one JSON object instead of a table')
  .action(benchConverge)

program
  .command('cut')
  .description('a first converge cut at seeded moments, and the run that finishes it')
  .option('--runs <n>', 'how many cuts', count, 30)
  .option('--seed <n>', 'the first seed', count, 1)
  .option('--json', 'one JSON object instead of a table')
  .action(async (options: CutOptions) => benchCut({ ...options, stop: interruption.signal }))

program
  .command('failover')
  .description(
    "power cuts of the leader at seeded moments: what they cost, and the dead host's return",
  )
  .option('--runs <n>', 'how many power cuts', count, 30)
  .option('--seed <n>', 'of the moments', count, 1)
  .option('--interval <duration>', "the agents' liveness.interval; the default is the inventory's")
  .option('--json', 'one JSON object instead of a table')
  .action(benchFailover)

program
  .command('switchover')
  .description('hand-overs at seeded moments: what a writer and a watch on each API server notice')
  .option('--runs <n>', 'how many', count, 20)
  .option('--seed <n>', 'of the moments', count, 1)
  .option('--json', 'one JSON object instead of a table')
  .action(benchSwitchover)

program
  .command('follower')
  .description('power cuts of the follower under 50 writes a second: how long the leader stalls')
  .option('--runs <n>', 'how many power cuts', count, 20)
  .option('--seed <n>', 'of the moments', count, 1)
  .option('--json', 'one JSON object instead of a table')
  .action(benchFollower)

program
  .command('copy')
  .description(
    'kills, power cuts and a full disk in copies of a large table: a valid copy is somewhere',
  )
  .option('--mib <n>', 'size of the table', count, 1_024)
  .option('--moments <n>', 'of each fault', count, 10)
  .option('--seed <n>', 'of the moments', count, 1)
  .option('--json', 'one JSON object instead of a table')
  .action(async (options: CopyOptions) => benchCopy({ ...options, stop: interruption.signal }))

program
  .command('history')
  .description('compare-and-swaps at both hosts under random faults: are they linearizable?')
  .option('--faults <n>', 'how many', count, 20)
  .option('--seed <n>', 'which ones', count, 1)
  .option('--json', 'one JSON object instead of a table')
  .action(benchHistory)

program
  .command('upgrade')
  .description('both hosts upgraded under a writer: how often, and for how long, it waits')
  .addOption(
    new Option('--kind <kind...>', 'what is upgraded, each on the pair as it was converged')
      .choices([...UPGRADE_KINDS])
      .default(['kine']),
  )
  .option('--json', 'one JSON object a kind instead of words')
  .action(benchUpgrade)

program
  .command('agent')
  .description("what a pair's agents take at rest, from /proc")
  .option('--minutes <n>', 'how long', count, 10)
  .option('--json', 'one JSON object instead of a table')
  .action(benchAgent)

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    // What is under way fails, and the bench takes its lab down. A second Ctrl-C does not wait.
    interruption.abort(new LabError('interrupted', 'Start it again.'))
    endCommands()
  })

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof LabError)) throw error
  const interrupted = interruption.signal.aborted
  if (!interrupted) process.stderr.write(`bench: ${error.message}\n       ${error.hint}\n`)
  process.exitCode = interrupted ? 130 : error.exitCode
}
