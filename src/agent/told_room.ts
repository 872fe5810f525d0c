import type { Room } from '../pair/disk_budget.ts'
import type { Memory } from '../pair/liveness.ts'
import type { Ports } from './ports.ts'

/** Each threshold of the disk's is told of once, and so is the way back. */
export class ToldRoom {
  #told: Room = 'ok'

  tell({ disk, stream }: Pick<Memory, 'disk' | 'stream'>, ports: Pick<Ports, 'note'>): void {
    const { room, freeBytes } = disk
    if (room === this.#told) return
    this.#told = room
    const keptBytes = stream?.seen.keptBytes ?? 0
    const bytesPerSecond = Math.round(disk.bytesPerSecond)
    ports.note({ kind: 'room', room, freeBytes, keptBytes, bytesPerSecond })
  }
}
