import type { Machine } from './machine.ts'
import type { World } from './world.ts'

/** What may happen to the pair, at a time: the words of scenario files, and what a seed draws. */
export interface Outage {
  /** @unit milliseconds */
  readonly atMs: number
  /** A word of {@link OUTAGES}, and what it takes. */
  readonly text: string
}

type Act = (world: World, machine: Machine, argument: string) => void

/** How long `promote --force` counts as the reason of what comes. @unit milliseconds */
const FORCE_MS = 20_000

/** Each word with what it does. Those that name no host are given the first one. */
// oxfmt-ignore
export const OUTAGES: Readonly<Record<string, Act>> = {
  'power-off':       (_, machine) => machine.powerOff(),
  'power-on':        (_, machine) => machine.powerOn(),
  'freeze':          (_, machine, kind) => machine.freeze(kind === 'all' ? 'all' : 'processes'),
  'thaw':            (_, machine) => machine.thaw(),
  'kill-agent':      (_, machine) => machine.killAgent(),
  'hang-agent':      (_, machine) => machine.hangAgent(),
  'mask-agent':      (_, machine) => machine.maskAgent(true),
  'unmask-agent':    (_, machine) => machine.maskAgent(false),
  'kill-kine':       (_, machine) => machine.crashKine(),
  'crash-postgres':  (_, machine) => machine.postgres.stop(),
  'stop-postgres':   (_, machine) => machine.holdPostgres(true),
  'repair-postgres': (_, machine) => machine.holdPostgres(false),
  'fill-disk':       (_, machine) => { machine.disk.full = true },
  'free-disk':       (_, machine) => { machine.disk.full = false },
  'tight-disk':      (_, machine) => { machine.disk.tight = true },
  'roomy-disk':      (_, machine) => { machine.disk.tight = false },
  'cut':             ({ network }, { name, peerName }) => { network.cuts.add(`${name}>${peerName}`) },
  'join':            ({ network }, { name, peerName }) => { network.cuts.delete(`${name}>${peerName}`) },
  'cut-gateway':     ({ network }, { name }) => { network.gatewayCuts.add(name) },
  'join-gateway':    ({ network }, { name }) => { network.gatewayCuts.delete(name) },
  'gateway-dies':    ({ network }) => { network.gatewayDead = true },
  'gateway-returns': ({ network }) => { network.gatewayDead = false },
  'delay':           ({ network }, _, ms) => { network.delayMs = Number(ms) },
  'loss':            ({ network }, _, percent) => { network.loss = Number(percent) / 100 },
  'witness-dies':    ({ witness }) => { witness.dead = true },
  'witness-returns': ({ witness }) => { witness.dead = false },
  'cut-witness':     ({ witness }, { name }) => { witness.cuts.add(name) },
  'join-witness':    ({ witness }, { name }) => { witness.cuts.delete(name) },
  'witness-delay':   ({ witness }, _, ms) => { witness.delayMs = Number(ms) },
  'witness-loses':   ({ witness }, _, percent) => { witness.loss = Number(percent) / 100 },
  'controller-dies':    ({ power }, { name }) => { power.dead.add(name) },
  'controller-returns': ({ power }, { name }) => { power.dead.delete(name) },
  'cut-controller':  ({ power }, { name }) => { power.cuts.add(name) },
  'join-controller': ({ power }, { name }) => { power.cuts.delete(name) },
  'controllers-delay': ({ power }, _, ms) => { power.delayMs = Number(ms) },
  'controllers-lose': ({ power }, _, percent) => { power.loss = Number(percent) / 100 },
  'step-clock':      (_, machine, seconds) => { machine.wallOffsetMs += Number(seconds) * 1000 },
  'lose-slot':       (_, { postgres }) => { for (const slot of postgres.slots.values()) slot.lost = true },
  'drop-slot':       (_, { postgres }) => postgres.slots.clear(),
  'conflict':        (_, { postgres: { subscription } }) => { if (subscription?.state === 'ready') subscription.conflict = true },
  'stray-row':       (_, { postgres }) => { postgres.table.add({ id: 1, marker: null, acknowledged: false, guarded: false }) },
  'lock':            ({ time }, machine, seconds) => { machine.lockedUntil = time.now + Number(seconds) * 1000 },
  'pause':           (_, machine) => { if (machine.powered) machine.pause(true) },
  'resume':          (_, machine) => machine.pause(false),
  'switchover':      ({ time }, { agent }) => time.wake(() => agent?.core.ask({ kind: 'switchover' })),
  'promote':         force,
  'replace':         replace,
  'heal':            heal,
}

/** The words that name no host. */
const WITHOUT_HOST = new Set([
  'gateway-dies',
  'gateway-returns',
  'delay',
  'loss',
  'witness-dies',
  'witness-returns',
  'witness-delay',
  'witness-loses',
  'controllers-delay',
  'controllers-lose',
  'heal',
])

export function apply(world: World, { text }: Outage): void {
  const [word = '', ...rest] = text.split(' ')
  const act = OUTAGES[word]
  if (act === undefined) throw new Error(`no outage is called '${word}'`)
  world.story.tell('--', text, true)
  const host = WITHOUT_HOST.has(word) ? 'h1' : rest.shift()
  if (host !== 'h1' && host !== 'h2') throw new Error(`'${text}' names no host`)
  act(world, world.machine(host), rest[0] ?? '')
  world.network.changed(world.time.now, ['h1', 'h2'])
}

function force(world: World, { agent }: Machine): void {
  if (agent === null || agent.life.frozen !== null) return
  world.judge.forcedUntil = world.time.now + FORCE_MS
  world.time.wake(() => agent.core.ask({ kind: 'promote', force: true }))
}

/** A leader writes hostMeta within this, or it has refused. @unit milliseconds */
const ACCEPT_MS = 1_000

/** New hardware in the place of a host without power: its token is asked for again until it is let in. */
function replace(world: World, machine: Machine): void {
  if (machine.powered) return
  const leader = world.machine(machine.peerName)
  const known = leader.meta
  const entry = known?.hosts.find(({ name }) => name === machine.name)
  if (entry !== undefined && leader.agent !== null && leader.agent.life.frozen === null) {
    const { core } = leader.agent
    const { name, address } = entry
    world.time.wake(() => core.ask({ kind: 'replacement', name, address }))
  }
  world.later(ACCEPT_MS, () => {
    if (machine.powered) return
    const { meta } = leader
    const led = known?.leader === leader.name && meta?.leader === leader.name
    const isIn = led && meta.slot !== known.slot
    if (meta !== null && isIn) machine.powerOnNewBox(meta)
    else replace(world, machine)
  })
}

/** Everything that an outage may have left is well again. */
function heal({ network, machines, witness, power }: World): void {
  power.heal()
  witness.dead = false
  witness.cuts.clear()
  witness.loss = 0
  witness.delayMs = 0
  network.cuts.clear()
  network.gatewayCuts.clear()
  network.gatewayDead = false
  network.delayMs = 0
  network.loss = 0
  for (const machine of machines) {
    machine.disk.full = false
    machine.disk.tight = false
    machine.pause(false)
    machine.lockedUntil = 0
    machine.thaw()
    machine.holdPostgres(false)
    machine.maskAgent(false)
    machine.powerOn()
  }
}
