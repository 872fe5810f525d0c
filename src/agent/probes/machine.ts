import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'

/** Whether the network card with this address has a link; null: no card has the address. */
export function readCarrier(address: string): boolean | null {
  const all = Object.entries(networkInterfaces())
  const found = all.find(([, addresses]) => addresses?.some((one) => one.address === address))
  if (found === undefined) return null
  const text = readKernelFile(`/sys/class/net/${found[0]}/carrier`)
  // A card that is down answers with an error.
  return text?.trim() === '1'
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
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
