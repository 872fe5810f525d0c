import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'

/** Asking all cards for their addresses costs more than the rest of a look. @unit milliseconds */
const CARD_MS = 30_000

/** The link of the network card that has an address. */
export class Carrier {
  readonly #address: string
  #card: string | undefined
  #askedAt = -Infinity

  constructor(address: string) {
    this.#address = address
  }

  /** Null: no card has the address. */
  read(): boolean | null {
    if (performance.now() - this.#askedAt > CARD_MS) {
      this.#askedAt = performance.now()
      this.#card = cardOf(this.#address)
    }
    if (this.#card === undefined) return null
    // A card that is down answers with an error.
    return readKernelFile(`/sys/class/net/${this.#card}/carrier`)?.trim() === '1'
  }
}

function cardOf(address: string): string | undefined {
  const all = Object.entries(networkInterfaces())
  return all.find(([, addresses]) => addresses?.some((one) => one.address === address))?.[0]
}

/** Share of the last ten seconds in which some task waited for memory; null: the kernel does not count. */
export function readMemoryPressure(): number | null {
  return parsePressure(readKernelFile('/proc/pressure/memory') ?? '')
}

/** @source https://docs.kernel.org/accounting/psi.html */
export function parsePressure(text: string): number | null {
  const share = /^some avg10=([\d.]+) /m.exec(text)?.[1]
  return share === undefined ? null : Number(share)
}

/** Made up by the kernel when it is read: never waits for a disk. */
function readKernelFile(path: string): string | undefined {
  try {
    // In this encoding Node.js needs no buffer of 64 kB for a file that says it is empty.
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
