import { homedir, userInfo } from 'node:os'
import { resolvePath } from '../plan/paths.ts'
import { createRuntimeCache, type ProvideRuntime } from '../remote/runtime.ts'
import { openSession, type Session } from '../remote/session.ts'
import { resolveSettings } from '../remote/ssh_config.ts'
import type { SshTarget } from '../remote/ssh_options.ts'
import type { OpenSession, SessionListener, SessionRequest } from './runner_session.ts'
import { locate } from './secret_values.ts'
import type { World } from './world.ts'

/** Connections over SSH. One runtime is fetched once, whichever hosts want it. */
export function remoteOpener({ cwd, env }: Pick<World, 'cwd' | 'env'>): OpenSession {
  const home = homedir()
  const told = new Set<SessionListener>()
  const provideRuntime = createRuntimeCache({
    onProgress: (message) => told.forEach((listener) => listener.onProgress(message)),
  })
  return async (request, listener) => {
    told.add(listener)
    const { settings, notes } = await resolveSettings(targetOf(request, { cwd, home }), {
      user: userInfo().username,
      home,
      accountHome: userInfo().homedir,
      env,
      acceptNewHostKeys: request.acceptNewHostKeys,
    })
    notes.forEach((note) => listener.onNote(note))
    return adapt(
      await openSession(settings, sessionOptions(request, listener, provideRuntime)),
      listener,
    )
  }
}

function targetOf(request: SessionRequest, person: Pick<World, 'cwd' | 'home'>): SshTarget {
  const { name, address, ssh } = request.host
  const { sudoPassword: _, identityFile, knownHosts, ...rest } = ssh
  const path = (written: string) => locate(resolvePath(request.inventoryFile, written), person)
  return {
    name,
    address,
    ssh: {
      ...rest,
      ...(identityFile === undefined ? {} : { identityFile: path(identityFile) }),
      ...(knownHosts === undefined ? {} : { knownHosts: path(knownHosts) }),
    },
  }
}

function sessionOptions(
  request: SessionRequest,
  listener: SessionListener,
  provideRuntime: ProvideRuntime,
): Parameters<typeof openSession>[1] {
  const attempts = new Map<string, number>()
  const { host, bundle, opening, sudoPassword } = request
  return {
    bundle,
    opening,
    runtime: host.runtime,
    provideRuntime,
    ...(sudoPassword === undefined ? {} : { sudoPassword }),
    askPassphrase: async (keyFile) => {
      const attempt = attempts.get(keyFile) ?? 0
      attempts.set(keyFile, attempt + 1)
      return await request.askPassphrase(keyFile, attempt)
    },
    onMessage: (message) => listener.onMessage(message),
    onNote: (message) => listener.onNote(message),
    onProgress: (message) => listener.onProgress(message),
  }
}

function adapt(session: Session, listener: SessionListener) {
  void session.ended.then((end) =>
    listener.onEnd(end.kind === 'lost' ? end.error.toTrouble() : undefined),
  )
  return {
    send: session.send,
    sendBlob: (sha256: string, { path, size }: { readonly path: string; readonly size: number }) =>
      void session.sendBlob(sha256, path, size),
    roundTrips: session.roundTrips,
    close: session.close,
  }
}
