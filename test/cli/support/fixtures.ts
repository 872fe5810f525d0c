import type { Event } from '../../../src/core/events.ts'
import type { FromRunner, ToRunner } from '../../../src/core/protocol.ts'
import type { OpenSession, SessionRequest } from '../../../src/cli/runner_session.ts'
import { helloOf, summaryOf } from './scripted_pair.ts'

export const INVENTORY = `name: edge
hosts:
  - { name: h1, address: 10.0.0.11, ssh: { user: root } }
  - { name: h2, address: 10.0.0.12, ssh: { user: ops, sudoPassword: !secret { env: SUDO } } }
vars:
  motd: hello
gateways: [10.0.0.1]
`

export const PLAYBOOK = `- name: Base
  hosts: all
  tasks:
    - name: The message of the day is ours
      file: { path: /etc/motd, content: '{{vars.motd}}', mode: '0644' }
      tags: [motd]
    - name: The token is there
      file: { path: /etc/token, content: !secret { env: TOKEN }, mode: '0600' }
`

export const FILES = { 'inventory.yaml': INVENTORY, 'site.yaml': PLAYBOOK }
export const SECRETS = { SUDO: 'sudo-password', TOKEN: 'planted-token' }

/** Runners that have nothing to do, and say what they were sent. */
export function idleRunners(
  events: (host: string) => readonly Event[] = (host) => [summaryOf(host)],
  hello: Parameters<typeof helloOf>[1] = {},
): { open: OpenSession; requests: SessionRequest[]; sent: ToRunner[] } {
  const requests: SessionRequest[] = []
  const sent: ToRunner[] = []
  const open: OpenSession = (request, listener) => {
    requests.push(request)
    const { name } = request.host
    const say = (message: FromRunner) => queueMicrotask(() => listener.onMessage(message))
    say(helloOf(name, hello))
    return Promise.resolve({
      send(message) {
        sent.push(message)
        if (message.type === 'go') say({ type: 'observed', pending: [], events: events(name) })
      },
      sendBlob: () => {},
      roundTrips: () => 9,
      close: () => queueMicrotask(() => listener.onEnd(undefined)),
    })
  }
  return { open, requests, sent }
}
