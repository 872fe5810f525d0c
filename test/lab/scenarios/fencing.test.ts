import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Lab } from '../../../lab/lab.ts'
import { HOST_NAMES, type HostName, peerOf } from '../../../lab/names.ts'
import { agentStatus, metaOf } from '../../../lab/pair_view.ts'
import { firstAckAfter } from '../../../lab/writer_log.ts'
import { mustConverge } from '../pair.ts'
import { startScenario } from '../scenario.ts'

/** @unit milliseconds */
const FAILOVER_MS = 30_000
const RETURN_MS = 90_000

const PASSWORD = 'the-password-of-the-lab-s-controllers'

const PORT = 8625

/** Run on a host: one question to the controllers, with the password from standard input. */
const ASK = [
  '/bin/bash',
  '-c',
  'read -r password; exec 3<>"/dev/tcp/$0/$1"; echo "$2 $3 $password" >&3; read -r said <&3; echo "$said"; [ "$said" != refused ]',
]

/** Both hosts' management controllers: they power hosts of this lab off, and say which are. */
async function controllersOf(lab: Lab) {
  const off = new Set<HostName>()
  const orders: string[] = []
  const answer = async (line: string): Promise<string> => {
    const [what = '', name = '', password = ''] = line.trim().split(' ')
    const host = HOST_NAMES.find((one) => one === name)
    if (host === undefined || password !== PASSWORD) return 'refused'
    if (what === 'status') return off.has(host) ? 'off' : 'on'
    orders.push(host)
    await lab.powerOff(host)
    off.add(host)
    return 'ok'
  }
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.setEncoding('utf8').once('data', (line: string) => {
      void answer(line).then(
        (said) => socket.end(`${said}\n`),
        () => socket.destroy(),
      )
    })
  })
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => server.listen(PORT, lab.gateway, resolve))
  const switchOn = async (host: HostName) => {
    await lab.powerOn(host)
    off.delete(host)
  }
  return { orders, switchOn, isOff: (host: HostName) => off.has(host) }
}

/** The pair of the suite, each host with the other one's power in its hands. */
async function fencedPair() {
  const scenario = await startScenario()
  const { lab, from } = scenario
  const controllers = await controllersOf(lab)
  writeFileSync(join(from.home, 'bmc'), `${PASSWORD}\n`)
  const site = parse(readFileSync(from.inventory, 'utf8')) as Record<string, unknown>
  const command = (what: string) => [...ASK, lab.gateway, String(PORT), what, '{{ host.name }}']
  // The leader goes first, however busy the machine is.
  const followerDelay = '20s'
  const fencing = { off: command('off'), status: command('status'), input: 'INPUT', followerDelay }
  const text = stringify({ ...site, partition: 'consistency', fencing })
  writeFileSync(from.inventory, text.replace('input: INPUT', 'input: !secret { file: bmc }'))
  await mustConverge(from)
  return { scenario, controllers }
}

test('9: each host has the other one’s power in its hands, and the link is cut: one goes on when the other one is seen to be off, and nothing is lost when that is switched on again (B6, B7)', async () => {
  const { scenario, controllers } = await fencedPair()
  const { lab } = scenario
  for (const host of HOST_NAMES)
    await scenario.poll(
      `${host} to have asked after the other one's power`,
      async () => (await agentStatus(lab, host))?.['fencing'] === 'answers',
      RETURN_MS,
    )
  const writers = { h1: await scenario.writer('h1'), h2: await scenario.writer('h2') }

  const cutAt = await scenario.act('the link is cut', () => lab.cut('h1', { from: 'peer' }))
  const leads = () => HOST_NAMES.find((host) => metaOf(lab, host)?.mode === 'alone')
  await scenario.poll('one to go on', () => leads() !== undefined, FAILOVER_MS)
  const winner = leads() ?? 'h1'
  expect(controllers.isOff(peerOf(winner))).toBe(true)
  expect(controllers.orders).toEqual([peerOf(winner)])
  await scenario.poll(
    'it to take writes',
    () => firstAckAfter(writers[winner].log(), cutAt + 1_500) !== undefined,
    FAILOVER_MS,
  )

  await scenario.act('the link is there again', () => lab.heal())
  await scenario.act('the other one is switched on', () => controllers.switchOn(peerOf(winner)))
  await scenario.paired(winner, RETURN_MS)
  expect(await scenario.end(winner, [])).toEqual([])
})
