import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { artefacts, type Artefacts } from './artefacts.ts'
import { baseImage } from './base.ts'
import type { Ended } from './command.ts'
import * as disks from './disks.ts'
import { applyFaults } from './faults.ts'
import * as faults from './host_faults.ts'
import { removeLab } from './down.ts'
import * as hosts from './hosts.ts'
import { knownHostsFile, labHosts, makeIdentities, type LabHost } from './identity.ts'
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
import { timed, type Progress } from './progress.ts'
import { debianRepository, serveRepository } from './repository.ts'
import {
  ensureState,
  labDirectory,
  lockLab,
  NO_FAULTS,
  readState,
  writeState,
  type LabKind,
  type LabState,
  type NetworkFaults,
} from './state.ts'
import { labStatus, type LabStatus } from './status.ts'

/** What is not said is as it was when the lab was made, or as {@link freshState} has it. */
export interface LabOptions extends Partial<LabKind> {
  readonly name: string
  readonly onProgress?: Progress
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

  get gateway(): string {
    return this.addresses.gateway
  }

  get virtualIp(): string {
    return this.addresses.virtualIp
  }

  get hosts(): Readonly<Record<HostName, LabHost>> {
    return labHosts(this.#objects, this.addresses)
  }

  /** Brings both hosts up, whatever state the lab is in. What is up already is left alone. */
  async up(): Promise<void> {
    await lockLab(this.name, async () => {
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
      await disks.pruneGenerations(state)
      await this.#boot(state)
    })
  }

  /** Removes everything of the lab from this machine; the caches stay. */
  async down(): Promise<void> {
    await this.#task('down', () => removeLab(this.#objects))
  }

  /**
   * Both hosts anew: bare, or as they were in a snapshot. Faults are healed.
   * @param options.smallDisks - what they write goes to disks that {@link fillDisk} can fill.
   */
  async reset(to?: string, { smallDisks = false } = {}): Promise<void> {
    await this.#task(`reset to ${to ?? 'bare hosts'}`, async () => {
      const state = { ...disks.withReset(await this.#state(), to), ...NO_FAULTS }
      await Promise.all(this.#each((host) => hosts.cutPower(host)))
      await this.#bootFrom(state, smallDisks)
    })
  }

  /**
   * Another machine stands where a host stood, which loses its power: a bare one, one with the disk that
   * the host had in a snapshot, or the old one again. Name, address and key are the same.
   */
  async renew(host: HostName, which: disks.NewMachine = { like: undefined }): Promise<void> {
    await this.#task(`another machine as ${host}`, async () => {
      const state = disks.withNewMachine(await this.#state(), host, which)
      await hosts.cutPower(this.#objects.hosts[host])
      await disks.exchangeDisk(state, host, which)
      await writeState(state)
      await this.#boot(state, [host])
    })
  }

  /** Shuts both hosts down, keeps their disks under this name, and starts them again. */
  async snapshot(name: string): Promise<void> {
    await this.#task(`snapshot ${name}`, async () => {
      const state = disks.withSnapshot(await this.#state(), name)
      await Promise.all(this.#each((host) => hosts.shutDown(host, SHUTDOWN_TIMEOUT_MS)))
      await this.#bootFrom(state)
    })
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
    await lockLab(this.name, async () => await this.#boot(await this.#state(), [host]))
  }

  /** `systemctl reboot`, and waits until the new boot's sshd answers. */
  async reboot(host: HostName): Promise<void> {
    const bound = SHUTDOWN_TIMEOUT_MS * 4
    await hosts.reboot(this.#objects.hosts[host], this.addresses.hosts[host], bound)
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

  /** Ends all faults but a power cut. */
  async heal(): Promise<void> {
    await Promise.all(HOST_NAMES.map((host) => this.thaw(host)))
    await this.#setFaults(NO_FAULTS)
    await disks.emptyDisks(await this.#state())
    await faults.mendHosts(this.#objects)
  }

  /** What is sent to the host arrives this much later: a round trip to it grows by that. 0 ends it. */
  async delay(host: HostName, milliseconds: number): Promise<void> {
    await this.#setFaults({ delays: { ...(await this.#state()).delays, [host]: milliseconds } })
  }

  /** So many of the packets that are sent to the host never arrive. 0 ends it. */
  async loss(host: HostName, percent: number, seed = 1): Promise<void> {
    const { losses } = await this.#state()
    await this.#setFaults({ losses: { ...losses, [host]: { percent, seed } } })
  }

  /** The host can't write another byte, until {@link heal}. Needs disks made small by {@link reset}. */
  async fillDisk(host: HostName): Promise<void> {
    await disks.fillDisk(await this.#state(), host)
  }

  /** PostgreSQL dies on the host and can't start, until {@link heal}. */
  async breakPostgres(host: HostName): Promise<void> {
    await faults.breakPostgres(this.#objects, host)
  }

  /** Moves the wall clock of a unit's processes: see {@link faults.fakeClock} for which it can. */
  async fakeClock(host: HostName, unit: string, seconds: number): Promise<void> {
    await faults.fakeClock(this.#objects, host, unit, seconds)
  }

  /** Signals the processes of a unit of the host by their ids; gives how many there were. */
  signalUnit(host: HostName, unit: string, how: faults.UnitSignal = {}): number {
    return faults.signalUnit(this.#objects, host, unit, how).length
  }

  /** kine and the k3s stand-in, built if need be: about 6 minutes the first time. */
  async artefacts(): Promise<Artefacts> {
    return await artefacts(this.#progress)
  }

  /** An inventory of this lab's two hosts, as inventory/lab.yaml is of the default lab's. */
  inventoryYaml(artefacts?: Artefacts): string {
    return inventoryYaml(this, artefacts)
  }

  async #setFaults(faults: Partial<NetworkFaults>): Promise<void> {
    const state = { ...(await this.#state()), ...faults }
    await writeState(state)
    await applyFaults(this.#objects, state)
  }

  async #boot(state: LabState, which: readonly HostName[] = HOST_NAMES): Promise<void> {
    await this.#step(which.length === 1 ? `power on ${which[0]}` : 'boot', async () => {
      await Promise.all(which.map((host) => this.#start(state, host)))
      await applyFaults(this.#objects, state)
      const ready = (host: HostName) =>
        hosts.hostReady(this.#objects.hosts[host], this.addresses.hosts[host])
      await Promise.all(which.map(ready))
    })
  }

  async #start(state: LabState, host: HostName): Promise<void> {
    const base = await baseImage(state.python)
    await disks.mountHost(state, host, base.root)
    await hosts.plugIn(this.#objects.hosts[host], this.virtualIp)
    await hosts.startHost(this.name, this.#objects.hosts[host])
  }

  /** Boots two hosts that are off from a state's layers. The state file is what counts after a crash. */
  async #bootFrom(state: LabState, small = false): Promise<void> {
    for (const host of HOST_NAMES) await hosts.unmountHost(this.name, this.#objects.hosts[host])
    await disks.makeGeneration(state, small)
    await writeState(state)
    await this.#boot(state)
    await disks.pruneGenerations(state)
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

  #task<T>(what: string, work: () => Promise<T>): Promise<T> {
    return lockLab(this.name, () => this.#step(what, work))
  }
}

export { removeByName } from './down.ts'
