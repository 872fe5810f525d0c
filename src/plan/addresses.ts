/** An IP address in one spelling, so that two spellings of it compare equal. */
export function canonicalAddress(address: string): string | undefined {
  const bits = addressBits(address)
  return bits === undefined ? undefined : `${bits.family}:${bits.value}`
}

/** True if both addresses are of one family and share the first `prefix` bits. */
export function sameSubnet(a: string, b: string, prefix: number): boolean {
  const [first, second] = [addressBits(a), addressBits(b)]
  if (first === undefined || second === undefined || first.family !== second.family) return false
  const width = first.family === 4 ? 32 : 128
  if (prefix < 0 || prefix > width) return false
  const shift = BigInt(width - prefix)
  return first.value >> shift === second.value >> shift
}

/** `10.0.0.1:6443` or `[fd00::1]:6443`; undefined if it is none. */
export function parseEndpoint(text: string): { address: string; port: number } | undefined {
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:]+)):(?<port>[0-9]{1,5})$/.exec(text)
  const { six, four, port } = match?.groups ?? {}
  const address = six ?? four
  if (address === undefined || port === undefined) return undefined
  const number = Number(port)
  if (number < 1 || number > 65_535 || familyOf(address) !== (six === undefined ? 4 : 6))
    return undefined
  return { address, port: number }
}

/** `10.42.0.0/16`: an address whose bits behind the prefix are zero. */
export function isNetwork(text: string): boolean {
  const [address, prefixText, ...rest] = text.split('/')
  const bits = addressBits(address ?? '')
  if (bits === undefined || rest.length > 0 || !/^[0-9]{1,3}$/.test(prefixText ?? '')) return false
  const width = bits.family === 4 ? 32 : 128
  const prefix = Number(prefixText)
  return prefix <= width && (bits.value & ((1n << BigInt(width - prefix)) - 1n)) === 0n
}

/** 4 or 6; undefined for anything that is no IP address. A zone (`%eth0`) may follow an IPv6 one. */
export function familyOf(address: string): 4 | 6 | undefined {
  if (isIpv4(address)) return 4
  const [head = '', tail, ...more] = address.replace(/%[\w.:-]+$/, '').split('::')
  if (more.length > 0) return undefined
  const parts = [head, tail ?? ''].filter((part) => part !== '').flatMap((part) => part.split(':'))
  const last = parts.at(-1) ?? ''
  const endsInIpv4 = isIpv4(last) && (tail === undefined || tail !== '')
  const hexadecimal = endsInIpv4 ? parts.slice(0, -1) : parts
  if (!hexadecimal.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))) return undefined
  const count = hexadecimal.length + (endsInIpv4 ? 2 : 0)
  // `::` stands for one group of zeros at least.
  return (tail === undefined ? count === 8 : count < 8) ? 6 : undefined
}

function isIpv4(address: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(address)
}

interface AddressBits {
  readonly family: 4 | 6
  readonly value: bigint
}

function addressBits(address: string): AddressBits | undefined {
  switch (familyOf(address)) {
    case 4:
      return { family: 4, value: join(address.split('.').map(Number), 8n) }
    case 6:
      return { family: 6, value: join(groupsOf(address), 16n) }
    case undefined:
      return undefined
  }
}

function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  return [...before, ...Array<number>(Math.max(zeros, 0)).fill(0), ...after]
}

/** Hexadecimal groups; an IPv4 tail (`::ffff:10.0.0.1`) counts as two. */
function groups(part: string): readonly number[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}

function join(parts: readonly number[], width: bigint): bigint {
  return parts.reduce((value, part) => (value << width) | BigInt(part), 0n)
}
