import type { HandOverAnswer, HandOverRequest, Ports, Proof } from '../../src/agent/ports.ts'
import type { Asked, PeerSays } from '../../src/pair/facts.ts'
import type { Life } from './virtual_time.ts'

/** What the simulator needs of an agent that runs: the answers to its peer, and an operator's requests. */
export interface RunningAgent {
  /** The peer asks. */
  status(): PeerSays
  voidProof(term: number): Promise<boolean>
  handOver(request: HandOverRequest): Promise<HandOverAnswer>
  ask(asked: Asked): void
  /** Its flap guard waits for an operator. */
  frozen(): boolean
}

/** Starts an agent over its ports; it runs until its life ends. */
export type StartAgent = (ports: Ports, host: string, partition?: Partition) => RunningAgent

/** What decides who goes on: nobody, a witness, or who has powered the other one off. */
export type Partition = 'availability' | 'consistency' | 'power'

export interface Agent {
  readonly life: Life
  readonly core: RunningAgent
  /** The term of which the leader has said "paired" to this process, at last; 0: it has said otherwise. */
  heardPaired: number
  /** It has heard its peer since it was started, or goes on for one that had. */
  heardPeer: boolean
}

/** Files of the agent's state directory. */
export const FILES = {
  meta: 'host-meta.yaml',
  proof: 'promotable.json',
  paused: '.two-node-pause',
  changes: 'changes.json',
  differs: 'differs.json',
} as const

export const NO_PROOF: Proof = { term: 0, voided: 0 }
