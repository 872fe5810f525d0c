/** Everything needed to reach one host over SSH, resolved: nothing is looked up later. */
export interface ConnectSettings {
  /** The inventory's name; messages say it. */
  readonly name: string
  /** What to connect to: an IP address or a DNS name. */
  readonly address: string
  readonly port: number
  readonly user: string
  readonly identityFiles: readonly IdentityFile[]
  /** Offer only the identity files (an agent may hold them), not the agent's other keys. */
  readonly identitiesOnly: boolean
  /** Socket of ssh-agent, null without one. */
  readonly identityAgent: string | null
  /** Hops in the order in which they are passed; each has its own keys and host keys. */
  readonly proxyJump: readonly ConnectSettings[]
  /** Looked up in known_hosts instead of address and port. */
  readonly hostKeyAlias: string | null
  /** Read in this order; an accepted new key is appended to the first. */
  readonly knownHostsFiles: readonly string[]
  /** `ssh-ed25519 AAAA…`; when there are any, only these count. */
  readonly pins: readonly string[]
  readonly acceptNewHostKeys: boolean
  readonly hashKnownHosts: boolean
  /** Bound of TCP connect, key exchange and log-in of one hop, prompts not counted. @unit milliseconds */
  readonly connectTimeoutMs: number
}

export interface IdentityFile {
  readonly path: string
  /** Named by a person: that it is missing is an error, where a default's absence is not. */
  readonly explicit: boolean
}

/** @unit milliseconds @range 1_000 to 120_000 */
export const CONNECT_TIMEOUT_MS = 10_000

/** How a message calls a host: `h1 (10.0.0.1:22)`. */
export function describe({ name, address, port }: ConnectSettings): string {
  return `${name} (${address}:${port})`
}
