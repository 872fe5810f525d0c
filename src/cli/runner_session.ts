import type { Trouble } from '../core/errors.ts'
import type { FromRunner, ToRunner } from '../core/protocol.ts'
import type { Secret } from '../core/secret.ts'
import type { InventoryHost } from '../plan/inventory.ts'
import type { Bundle } from '../remote/bundle.ts'
import type { AskPassphrase } from './passwords.ts'

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
  /** Something worth keeping: a new host key that was accepted, a log-in that takes long. */
  onNote(message: string): void
  /** What is under way before the runner speaks: the upload of what the host lacks. */
  onProgress(message: string): void
  /** Undefined: the runner ended by itself, in order. */
  onEnd(trouble: Trouble | undefined): void
}

export interface SessionRequest {
  readonly host: InventoryHost
  /** Paths of the inventory start beside it. */
  readonly inventoryFile: string
  readonly bundle: Bundle
  /** The first line to the runner, the plan: it travels while the runner starts. */
  readonly opening: ToRunner
  readonly acceptNewHostKeys: boolean
  readonly sudoPassword: Secret | undefined
  readonly askPassphrase: AskPassphrase
}

/** Connects and starts the runner. Rejects with an error of exit 4 (or 2 or 3) when it can't. */
export type OpenSession = (
  request: SessionRequest,
  listener: SessionListener,
) => Promise<RunnerSession>
