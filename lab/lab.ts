import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { artefacts, type Artefacts } from './artefacts.ts'
import { baseImage } from './base.ts'
import type { Ended } from './command.ts'
import { makeGeneration, mountHost, pruneGenerations, withReset, withSnapshot } from './disks.ts'
import { applyFaults } from './faults.ts'
import { removeLab } from './down.ts'
import * as hosts from './hosts.ts'
import { keyFile, knownHostsFile, LOGIN_USERS, makeIdentities } from './identity.ts'
import { inventoryYaml } from './inventory.ts'
import { LabError } from './lab_error.ts'
import {
  HOST_NAMES,
  labAddresses,
  labObjects,
  type HostName,
  type LabAddresses,
  type LabObjects,
} from './names.ts'
import { networkFacts, networkUp, runAll, type Cut } from './network.ts'
import { findInit } from './processes.ts'
import { timed, type Progress } from './progress.ts'
import { debianRepository, serveRepository } from './repository.ts'
import {
  ensureState,
  labDirectory,
  lockLab,
  readState,
  writeState,
  type LabKind,
  type LabState,
} from './state.ts'
import { labStatus, type LabStatus } from './status.ts'
import { until } from './wait.ts'

/** What is not said is as it was when the lab was made, or as {@link freshState} has it. */
export interface LabOptions extends Partial<LabKind> {
  readonly name: string
  readonly onProgress?: Progress
}

/** How to reach a host of the lab. */
export interface LabHost {
  readonly address: string
  readonly user: string
  readonly keyFile: string
  readonly netns: string
}

/** A clean shutdown stops PostgreSQL and Kubernetes; what takes longer is killed. */
const SHUTDOWN_TIMEOUT_MS = 30_000

/** Opens a lab, and reserves its subnet if there is none of that name. Nothing is started. */
export async function openLab(options: LabOptions): Promise<Lab> {
  const objects = labObjects(options.name)
  const state = await ensureState(options.name, options)
  return new Lab(objects, state, options.onProgress ?? (() => undefined))
}

/** Two real hosts on this machine. */
export class Lab {
  readonly name: string
  readonly directory: string
  readonly knownHostsFile: string
  readonly #objects: LabObjects
  readonly #index: number
  readonly #kind: LabKind
  readonly #progress: Progress

  constructor(objects: LabObjects, state: LabState, progress: Progress) {
    this.name = objects.name
    this.directory = labDirectory(objects.name)
    this.knownHostsFile = knownHostsFile(objects.name)
    this.#objects = objects
    this.#index = state.index
    this.#kind = { python: state.python, volatile: state.volatile }
    this.#progress = progress
  }

  get addresses(): LabAddresses {
    return labAddresses(this.#index)
  }

  get subnet(): string {
    return this.addresses.subnet
  }

  get gateway(): string {
    return this.addresses.gateway
  }

  get virtualIp(): string {
    return this.addresses.virtualIp
  }

  get hosts(): Readonly<Record<HostName, LabHost>> {
    const host = (name: HostName): LabHost => ({
      address: this.addresses.hosts[name],
      user: LOGIN_USERS[name],
      keyFile: keyFile(this.name),
      netns: this.#objects.hosts[name].machine,
    })
    return { h1: host('h1'), h2: host('h2') }
  }

  /** Brings both hosts up, whatever state the lab is in. What is up already is left alone. */
  async up(): Promise<void> {
    await this.#locked(async () => {
      const state = await ensureState(this.name, this.#kind)
      const base = await timed(this.#progress, 'base image', () => baseImage(this.#kind.python))
      const repository = await timed(this.#progress, 'packages for the hosts', () =>
        debianRepository(base),
      )
      await this.#step('network', async () => {
        await runAll(networkUp(this.#objects, this.addresses, await networkFacts()))
        const log = join(this.directory, 'repository.log')
        await serveRepository(this.#objects, this.addresses, { repository, log })
      })
      await this.#step('identities', () => makeIdentities(state, base))
      await pruneGenerations(state)
      await this.#boot(state)
    })
  }

  /** Removes everything of the lab from this machine; the caches stay. */
  async down(): Promise<void> {
    await this.#locked(() => timed(this.#progress, 'down', () => removeLab(this.#objects)))
  }

  /** Both hosts anew: bare, or as they were in a snapshot. Faults are healed. */
  async reset(to?: string): Promise<void> {
    await this.#locked(() =>
      timed(this.#progress, `reset to ${to ?? 'bare hosts'}`, async () => {
        const state = { ...withReset(await this.#state(), to), cuts: [], delays: {} }
        await Promise.all(this.#each((host) => hosts.cutPower(host)))
        await this.#swapDisks(state)
        await this.#boot(state)
        await pruneGenerations(state)
      }),
    )
  }

  /** Shuts both hosts down, keeps their disks under this name, and starts them again. */
  async snapshot(name: string): Promise<void> {
    await this.#locked(() =>
      timed(this.#progress, `snapshot ${name}`, async () => {
        const state = withSnapshot(await this.#state(), name)
        await Promise.all(this.#each((host) => hosts.shutDown(host, SHUTDOWN_TIMEOUT_MS)))
        await this.#swapDisks(state)
        await this.#boot(state)
        await pruneGenerations(state)
      }),
    )
  }

  async status(): Promise<LabStatus> {
    return await labStatus(this.#objects, await this.#state())
  }

  /** Runs a command as root inside a host, without network or sshd. A non-zero exit is data. */
  async exec(
    host: HostName,
    argv: readonly string[],
    options: hosts.HostExecOptions = {},
  ): Promise<Ended> {
    return await hosts.execInHost(this.#objects.hosts[host], argv, options)
  }

  /** Link down, init killed: peers meet silence. The disk stays as the kill left it. */
  async powerOff(host: HostName): Promise<void> {
    await hosts.cutPower(this.#objects.hosts[host])
  }

  /** Boots a host from the disk that it had, and waits until its sshd answers. */
  async powerOn(host: HostName): Promise<void> {
    await this.#locked(() =>
      timed(this.#progress, `power on ${host}`, async () => {
        const state = await this.#state()
        await this.#start(state, host)
        await applyFaults(this.#objects, state)
        await hosts.hostReady(this.#objects.hosts[host], this.addresses.hosts[host])
      }),
    )
  }

  /** `systemctl reboot`, and waits until the new boot's sshd answers. */
  async reboot(host: HostName): Promise<void> {
    const mine = this.#objects.hosts[host]
    const before = findInit(mine)
    await this.exec(host, ['systemctl', 'reboot'])
    await until(
      `${host} to go down`,
      () => {
        const now = findInit(mine)
        return now !== undefined && now !== before ? true : undefined
      },
      { timeoutMs: SHUTDOWN_TIMEOUT_MS * 4 },
    )
    await hosts.hostReady(mine, this.addresses.hosts[host])
  }

  /** Breaks the path between a host and its peer, the gateway (and the laptop), or both. */
  async cut(
    host: HostName,
    { from = 'all', oneWay = false }: { from?: Cut['from']; oneWay?: boolean } = {},
  ): Promise<void> {
    const others = (await this.#state()).cuts.filter(
      (cut) => cut.host !== host || cut.from !== from,
    )
    await this.#setFaults({ cuts: [...others, { host, from, oneWay }] })
  }

  /** Stops all processes of a host where they stand, until {@link thaw} or {@link heal}. */
  async freeze(host: HostName): Promise<void> {
    await hosts.setFrozen(this.#objects.hosts[host], true)
  }

  async thaw(host: HostName): Promise<void> {
    await hosts.setFrozen(this.#objects.hosts[host], false)
  }

  /** Ends all cuts, delays and freezes. */
  async heal(): Promise<void> {
    await Promise.all(HOST_NAMES.map((host) => this.thaw(host)))
    await this.#setFaults({ cuts: [], delays: {} })
  }

  /** What is sent to the host arrives this much later: a round trip to it grows by that. 0 ends it. */
  async delay(host: HostName, milliseconds: number): Promise<void> {
    const { [host]: _, ...others } = (await this.#state()).delays
    await this.#setFaults({
      delays: milliseconds === 0 ? others : { ...others, [host]: milliseconds },
    })
  }

  /** kine and the k3s stand-in, built if need be: about 6 minutes the first time. */
  async artefacts(): Promise<Artefacts> {
    return await artefacts(this.#progress)
  }

  /** An inventory of this lab's two hosts, as inventory/lab.yaml is of the default lab's. */
  inventoryYaml(artefacts?: Artefacts): string {
    return inventoryYaml(this, artefacts)
  }

  async #setFaults(faults: Partial<Pick<LabState, 'cuts' | 'delays'>>): Promise<void> {
    const state = { ...(await this.#state()), ...faults }
    await writeState(state)
    await applyFaults(this.#objects, state)
  }

  async #boot(state: LabState): Promise<void> {
    await this.#step('boot', async () => {
      await Promise.all(HOST_NAMES.map((host) => this.#start(state, host)))
      await applyFaults(this.#objects, state)
      await Promise.all(
        this.#each((host) => hosts.hostReady(host, this.addresses.hosts[host.host])),
      )
    })
  }

  async #start(state: LabState, host: HostName): Promise<void> {
    const base = await baseImage(state.python)
    await mountHost(state, host, base.root)
    await hosts.plugIn(this.#objects.hosts[host])
    await hosts.startHost(this.name, this.#objects.hosts[host])
  }

  /** Puts the state's layers under two hosts that are off. The state file is what counts after a crash. */
  async #swapDisks(state: LabState): Promise<void> {
    for (const host of HOST_NAMES) await hosts.unmountHost(this.name, this.#objects.hosts[host])
    await makeGeneration(state)
    await writeState(state)
  }

  #each<T>(work: (host: LabObjects['hosts'][HostName]) => Promise<T>): Promise<T>[] {
    return HOST_NAMES.map((host) => work(this.#objects.hosts[host]))
  }

  async #state(): Promise<LabState> {
    const state = await readState(this.name)
    if (state && existsSync(join(this.directory, 'identity', 'complete'))) return state
    throw new LabError(`lab '${this.name}' is not up`, `npm run lab -- up --name ${this.name}`, {
      exitCode: 2,
    })
  }

  #step<T>(what: string, work: () => Promise<T>): Promise<T> {
    return timed(this.#progress, what, work)
  }

  #locked<T>(work: () => Promise<T>): Promise<T> {
    return lockLab(this.name, work)
  }
}

export { removeByName } from './down.ts'
