import type { Trouble } from '../core/errors.ts'
import type { FromRunner, ToRunner } from '../core/protocol.ts'
import type { InventoryHost } from '../plan/inventory.ts'
import type { Bundle } from './world.ts'

/** One host's runner, as the controller sees it: lines both ways, and an end. */
export interface RunnerSession {
  send(message: ToRunner): void
  /** Sends the `blob` line and then the file's bytes. */
  sendBlob(sha256: string, file: { readonly path: string; readonly size: number }): void
  /** Client sends after a receive, counted at the socket. */
  roundTrips(): number
  /** Closes the connection; the runner notices and ends after its current change. */
  close(): void
}

/** What a session tells the controller; `onEnd` comes once, last. */
export interface SessionListener {
  onMessage(message: FromRunner): void
  /** Free words on the way: what is uploaded, a new key that was accepted. */
  onNote(level: 'info' | 'warning', message: string): void
  /** Undefined: the runner ended by itself, in order. */
  onEnd(trouble: Trouble | undefined): void
}

export interface SessionRequest {
  readonly host: InventoryHost
  readonly bundle: Bundle
  readonly acceptNewHostKeys: boolean
  readonly sudoPassword: string | undefined
  /** Asked for the passphrase of a key file; undefined: nobody is there to answer. */
  readonly askPassphrase: ((keyFile: string) => Promise<string | undefined>) | undefined
}

/** Connects and starts the runner. Rejects with an error of exit 4 (or 2 or 3) when it can't. */
export type OpenSession = (
  request: SessionRequest,
  listener: SessionListener,
) => Promise<RunnerSession>
