import type { Lab } from './lab.ts'
import { LabError } from './lab_error.ts'
import { peerOf, type HostName } from './names.ts'

/** What is done to a pair while its history is recorded, and how it ends. */
interface HistoryFault {
  readonly strike: (lab: Lab, leader: HostName) => Promise<unknown> | number
  readonly mend?: (lab: Lab, leader: HostName) => Promise<unknown>
  /** Another host leads then. */
  readonly moves?: true
}

const POSTGRES = 'postgresql@15-main.service'

/** By a hypervisor: the lab's freezer alone leaves a kernel that answers pings. */
async function hang(lab: Lab, host: HostName): Promise<void> {
  await lab.cut(host)
  await lab.freeze(host)
}

async function switchOver(lab: Lab, leader: HostName): Promise<void> {
  const { code, stderr } = await lab.exec(leader, ['/usr/local/bin/twonode', 'switchover'])
  if (code !== 0) throw new LabError(`no switchover: ${stderr}`, 'Look at both agents.')
}

// oxfmt-ignore
export const HISTORY_FAULTS = {
  'power of the leader':    { strike: (lab, leader) => lab.powerOff(leader), mend: (lab, leader) => lab.powerOn(leader), moves: true },
  'power of the follower':  { strike: (lab, leader) => lab.powerOff(peerOf(leader)), mend: (lab, leader) => lab.powerOn(peerOf(leader)) },
  'leader cut off':         { strike: (lab, leader) => lab.cut(leader), mend: (lab) => lab.heal(), moves: true },
  'follower cut off':       { strike: (lab, leader) => lab.cut(peerOf(leader)), mend: (lab) => lab.heal() },
  'leader hangs':           { strike: hang, mend: (lab) => lab.heal(), moves: true },
  'PostgreSQL of the leader killed':   { strike: (lab, leader) => lab.signalUnit(leader, POSTGRES) },
  'PostgreSQL of the follower killed': { strike: (lab, leader) => lab.signalUnit(peerOf(leader), POSTGRES) },
  'kine of the leader killed':         { strike: (lab, leader) => lab.signalUnit(leader, 'kine.service') },
  'agent of the leader killed':        { strike: (lab, leader) => lab.signalUnit(leader, 'twonode-agent.service') },
  'switchover':             { strike: switchOver, moves: true },
} as const satisfies Record<string, HistoryFault>

export type HistoryFaultName = keyof typeof HISTORY_FAULTS

export const HISTORY_FAULT_NAMES = Object.keys(HISTORY_FAULTS) as readonly HistoryFaultName[]

export function faultOf(name: HistoryFaultName): HistoryFault {
  return HISTORY_FAULTS[name]
}
