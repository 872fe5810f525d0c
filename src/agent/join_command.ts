import { existsSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { isIP } from 'node:net'
import { basename, dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { EXIT, type ExitCode, TwonodeError } from '../core/errors.ts'
import type { Json, JsonObject } from '../core/json.ts'
import { isHostName } from '../core/site.ts'
import { SITE_FILE } from '../plan/site_file.ts'
import { createClock } from './clock.ts'
import { joinPair } from './join.ts'
import { JOIN_FILE, type JoinOrder, writeJoinFile } from './join_file.ts'
import { parseJoinToken } from './join_token.ts'
import { openLocalEngine } from './local_engine.ts'
import type { Output } from './local_commands.ts'
import { writeDurably } from './meta_history.ts'

/** As in the inventory where nothing else is said. */
const DEFAULT_PORT = 8622

const UNIT_FILE = '/etc/systemd/system/twonode-join.service'
const WANTED_BY = '/etc/systemd/system/multi-user.target.wants/twonode-join.service'

const UNIT = `[Unit]
Description=Lets this prepared host into its pair, by a join token
Wants=network-online.target
After=network-online.target
ConditionPathExists=${JOIN_FILE}
StartLimitIntervalSec=0

[Service]
ExecStart=/opt/twonode/node /opt/twonode/current/agent.mjs join --run
Restart=on-failure
RestartSec=5s

[Install]
WantedBy=multi-user.target
`

/** `twonode join` on a prepared host: leaves an order for the next boot. */
export async function runJoin(options: JsonObject, out: Output): Promise<ExitCode> {
  const order = { ...orderOf(options), token: parseJoinToken(await text(process.stdin)) }
  await prepareJoin(order)
  const start = 'systemctl daemon-reload && systemctl start --no-block twonode-join'
  out.write(`${order.name} joins at its next boot; or now: ${start}\n`)
  return EXIT.done
}

/**
 * Leaves an order for what {@link carryOutJoin} does, now or at the next boot.
 * @throws TwonodeError E_FAILED for a host that is of a site
 */
export async function prepareJoin(order: Omit<JoinOrder, 'isIn'>): Promise<void> {
  if (existsSync(SITE_FILE))
    throw new TwonodeError('E_FAILED', `this host is of a site already: ${SITE_FILE} is there`, {
      hint: 'A host that joins is bare of any pair: install it anew.',
    })
  await mkdir(dirname(JOIN_FILE), { recursive: true, mode: 0o755 })
  await writeJoinFile({ ...order, isIn: false })
  await writeDurably(UNIT_FILE, UNIT)
  await enable()
}

/** By hand: an image that is being built has no systemd to ask. */
async function enable(): Promise<void> {
  await mkdir(dirname(WANTED_BY), { recursive: true, mode: 0o755 })
  if (!existsSync(WANTED_BY)) await symlink(UNIT_FILE, WANTED_BY)
}

/** What the unit runs: the order that was left is carried out. */
export async function carryOutJoin(out: Output): Promise<ExitCode> {
  const bundle = basename(import.meta.dirname)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  const isIn = await joinPair(
    {
      root: '/',
      bundle,
      clock: createClock(),
      say: (line) => out.write(`${line}\n`),
      converge: async (site, meta) => {
        const engine = await openLocalEngine({ site, bundle })
        try {
          // Without tags: all that a laptop would do on this host.
          return await engine.converge({ meta, tags: [], urgent: false, stop: stop.signal })
        } finally {
          await engine.close()
        }
      },
    },
    stop.signal,
  )
  return isIn ? EXIT.done : EXIT.interrupted
}

function orderOf(options: JsonObject) {
  const name = textOf(options['host'])
  const address = textOf(options['address'])
  const leader = placeOf(textOf(options['to']))
  if (!isHostName(name) || isIP(address) === 0 || isIP(leader.address) === 0 || !(leader.port > 0))
    throw new TwonodeError('E_USAGE', 'names of hosts and IP addresses are needed')
  return { name, address, to: leader }
}

/** `10.77.0.11`, `10.77.0.11:8622`, `fd00::1`, `[fd00::1]:8622`. */
function placeOf(word: string): { readonly address: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(word) ?? []
  return { address: bracketed ?? plain ?? word, port: Number(port ?? DEFAULT_PORT) }
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}
