import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { killService, killUnpermitted, stoppingServiceFirst } from '../../src/agent/service_stop.ts'
import type { ConvergeOutcome } from '../../src/agent/ports.ts'
import { pairMeta } from '../support/agent_sightings.ts'

const STOP = new AbortController().signal
const DONE: ConvergeOutcome = { kind: 'done', changed: 0, registered: {} }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twonode-kine-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test.each([
  { tag: 'impair', expected: ['kine is stopped', 'converge impair'] },
  { tag: 'role', expected: ['converge role'] },
])(
  'A8: a converge of $tag: kine waits for no lock, and for nothing but an impairing is it stopped',
  async ({ tag, expected }) => {
    const said: string[] = []
    const converge = async ({ tags }: { readonly tags: readonly string[] }) => {
      said.push(`converge ${tags.join(',')}`)
      return DONE
    }
    const engine = stoppingServiceFirst({ converge }, () => said.push('kine is stopped'))
    const wanted = { meta: pairMeta(), tags: [tag], urgent: true, stop: STOP }
    expect(await engine.converge(wanted)).toEqual(DONE)
    expect(said).toEqual(expected)
  },
)

test('A8: its permit is gone when kine is killed, or systemd would start it anew; the address goes too', () => {
  const permit = join(folder, 'kine.permit')
  writeFileSync(permit, 'branch: 1\n')
  const ran: [readonly string[], boolean][] = []
  const run = async (argv: readonly string[]) => {
    ran.push([argv, existsSync(permit)])
    throw new Error('there is no systemd here')
  }
  killService({ address: '192.0.2.10', prefix: 24, interface: 'eth0' }, { permit, run })
  killService(null, { permit, run })
  // What answers reads where a leader waited may be superseded as well.
  const units = ['kine.service', 'kine-reads.service', 'k3s-reads.service']
  const kill = ['systemctl', 'kill', '--signal=SIGKILL', ...units]
  expect(ran).toEqual([
    [kill, false],
    [['ip', 'address', 'del', '192.0.2.10/24', 'dev', 'eth0'], false],
    [kill, false],
  ])
})

test('B9: an agent that was killed between permit and kine is followed by one that stops what runs without a permit', () => {
  const permit = join(folder, 'kine.permit')
  writeFileSync(permit, 'branch: 1\n')
  const ran: string[] = []
  const run = async (argv: readonly string[]) => {
    ran.push(argv.join(' '))
    throw new Error('there is no systemd here')
  }
  killUnpermitted(null, { permit, run })
  expect([ran, existsSync(permit)]).toEqual([[], true])
  rmSync(permit)
  killUnpermitted(null, { permit, run })
  expect(ran).toEqual([
    'systemctl kill --signal=SIGKILL kine.service kine-reads.service k3s-reads.service',
  ])
})
