import type { Event } from '../../src/core/events.ts'
import type { Plan, RunOptions } from '../../src/core/plan.ts'
import type { FromRunner, ToRunner } from '../../src/core/protocol.ts'
import { advance } from '../../src/cli/controller.ts'
import {
  firstState,
  type RunCommand,
  type RunInput,
  type RunState,
} from '../../src/cli/run_state.ts'
import { execute } from '../../src/engine/execute.ts'
import type { Lock } from '../../src/engine/ports.ts'
import { RemoteControl } from '../../src/runner/remote_control.ts'
import { journalIn, OPTIONS, type RunSpec, runOf, stepsIn } from './engine_run.ts'
import type { SimulatedHost } from './simulated_host.ts'

export interface PairRun {
  readonly exitCode: number
  readonly events: readonly Event[]
  /** What happened in its order: steps, barriers and locks of both hosts. */
  readonly story: readonly string[]
}

export interface PairSpec {
  readonly plan: Plan
  readonly hosts: readonly [SimulatedHost, SimulatedHost]
  readonly options?: Partial<RunOptions>
  /** The journals' folder, one below it a host. */
  readonly folder: string
  readonly solo?: boolean
  readonly modules?: RunSpec['modules']
  /** Called with each message that leaves a runner. */
  readonly onMessage?: (
    host: string,
    message: FromRunner,
    controls: ReadonlyMap<string, RemoteControl>,
  ) => void
}

/**
 * The controller as it is, and two runners as they are, without streams: every message is a function
 * call in the next turn. Resolves when the controller says that the run is over.
 */
export async function convergePair(spec: PairSpec): Promise<PairRun> {
  const { plan, hosts, options = {} } = spec
  const events: Event[] = []
  const story: string[] = []
  const controls = new Map<string, RemoteControl>()
  let state: RunState = firstState({
    site: plan.site,
    participants: hosts.map(({ name }) => name),
    plays: plan.plays,
    check: options.check ?? false,
    lookOnly: false,
    namesLeader: true,
    version: plan.version,
    allowDowngrade: false,
    obtains: false,
    setsUpPostgres: false,
    usesRoles: false,
  })

  return await new Promise((resolve) => {
    const input = (next: RunInput) => {
      const turn = advance(state, next)
      ;({ state } = turn)
      turn.commands.forEach(carryOut)
    }

    function carryOut(command: RunCommand): void {
      if (command.kind === 'send')
        later(() => controls.get(command.host)?.receive(command.message satisfies ToRunner))
      if (command.kind === 'close') later(() => controls.get(command.host)?.end())
      if (command.kind === 'finish') resolve({ exitCode: command.exitCode, events, story })
      if (command.kind !== 'emit') return
      events.push(command.event)
      story.push(
        ...stepsIn([command.event]).map(({ host, status, task }) => `${host} ${status} ${task}`),
      )
    }

    for (const host of hosts) {
      const send = (message: FromRunner) => {
        if ('type' in message && message.type === 'play-done')
          story.push(`${host.name} done ${message.play}`)
        spec.onMessage?.(host.name, message, controls)
        later(() => input({ kind: 'message', host: host.name, message }))
      }
      controls.set(host.name, new RemoteControl(send))
      later(() => input({ kind: 'connected', host: host.name }))
      later(() => send(helloOf(host.name)))
    }
    for (const host of hosts) {
      const control = controls.get(host.name)
      if (control === undefined) continue
      void runOne(host, control, spec, story).then(() =>
        later(() => input({ kind: 'ended', host: host.name, trouble: undefined })),
      )
    }
  })
}

/** In the next turn, as over a wire. */
function later(act: () => void): void {
  void Promise.resolve().then(act)
}

async function runOne(
  host: SimulatedHost,
  control: RemoteControl,
  spec: PairSpec,
  story: string[],
): Promise<void> {
  const go = await control.go()
  if (go === undefined) return
  const { runId } = { ...OPTIONS, ...spec.options }
  const run = runOf({
    host,
    plan: spec.plan,
    journal: journalIn(`${spec.folder}/${host.name}`, runId),
    lock: watchedLock(host.name, story),
    solo: go.solo,
    ...(spec.options === undefined ? {} : { options: spec.options }),
    ...(spec.modules === undefined ? {} : { modules: spec.modules }),
  })
  await execute({ ...run, control, emit: (event) => control.say(event) })
}

function watchedLock(host: string, story: string[]): Lock {
  return {
    take: async () => {
      story.push(`${host} takes the lock`)
      return { otherHeldIt: false }
    },
    release: async () => void story.push(`${host} lets the lock go`),
  }
}

function helloOf(host: string): Event {
  return {
    event: 'hello',
    format: 1,
    host,
    pid: 1,
    hostMeta: null,
    siteSecrets: { ca: null, 'k3s-token': null },
    appliedBy: null,
    facts: {},
  }
}
