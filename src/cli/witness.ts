import type { Server } from 'node:http'
import { resolve as resolvePath } from 'node:path'
import { EXIT, type ExitCode, messageOf, TwonodeError } from '../core/errors.ts'
import { Secret, SHORTEST_SECRET } from '../core/secret.ts'
import { parseEndpoint } from '../plan/addresses.ts'
import { ClaimStore } from '../witness/claim_store.ts'
import { initFileWitness } from '../witness/file.ts'
import { createWitnessServer } from '../witness/server.ts'
import { type Invocation, listOption, textOption } from './command.ts'
import { filesOf } from './compile_sites.ts'
import type { World } from './world.ts'

/** `twonode witness serve` answers until it is told to end; `init` makes a folder for claims; `show` looks. */
export async function witness(invocation: Invocation, world: World): Promise<ExitCode> {
  const [action, folder] = invocation.arguments
  if (action === 'init') return await init(folder, world)
  if (action === 'show')
    return await (await import('./witness_show.ts')).showWitness(invocation, world)
  if (action !== 'serve')
    throw new TwonodeError('E_USAGE', `twonode witness does not know ${action ?? 'what to do'}`, {
      hint: 'Say twonode witness serve, init DIRECTORY, or show -i INVENTORY.',
    })
  const { address, port } = listenOf(invocation)
  const store = new ClaimStore(needed(invocation, 'directory'))
  await store.open().catch((error: unknown) => {
    throw new TwonodeError('E_FILE', `--directory: ${messageOf(error)}`, { cause: error })
  })
  const sites = listOption(invocation, 'site')
  const server = createWitnessServer({
    store,
    token: tokenOf(invocation, world),
    tls: tlsOf(invocation, world),
    sites: sites.length === 0 ? null : sites,
    tell: (line) => world.stdout.write(`${line}\n`),
  })
  await listen(server, address, port)
  world.stdout.write(`the witness answers at ${address}:${portOf(server)}\n`)
  await new Promise<void>((resolve) => world.onInterrupt(resolve))
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
  await store.close()
  return EXIT.done
}

async function init(folder: string | undefined, world: World): Promise<ExitCode> {
  if (folder === undefined)
    throw new TwonodeError('E_USAGE', 'twonode witness init needs a DIRECTORY')
  await initFileWitness(resolvePath(world.cwd, folder)).catch((error: unknown) => {
    throw new TwonodeError('E_FILE', messageOf(error), { cause: error })
  })
  world.stdout.write(`${folder} keeps claims from now on: both hosts must mount it, by one path\n`)
  return EXIT.done
}

function needed(invocation: Invocation, name: string): string {
  const value = textOption(invocation, name)
  if (value === undefined)
    throw new TwonodeError('E_USAGE', `twonode witness serve needs --${name}`)
  return value
}

function listenOf(invocation: Invocation) {
  const text = needed(invocation, 'listen')
  const endpoint = parseEndpoint(text)
  if (endpoint === undefined)
    throw new TwonodeError('E_USAGE', `--listen: ${text} is no ADDRESS:PORT`)
  return endpoint
}

function tokenOf(invocation: Invocation, world: World): Secret | null {
  const path = textOption(invocation, 'tokenFile')
  if (path === undefined) return null
  const token = readNeeded(world, path).trim()
  if (token.length < SHORTEST_SECRET)
    throw new TwonodeError('E_USAGE', `--token-file: shorter than ${SHORTEST_SECRET} characters`)
  return new Secret(token, `file:${path}`)
}

function tlsOf(invocation: Invocation, world: World) {
  const [certificate, key] = ['certificate', 'key'].map((name) => textOption(invocation, name))
  if (certificate === undefined && key === undefined) return null
  if (certificate === undefined || key === undefined)
    throw new TwonodeError('E_USAGE', '--certificate and --key go together')
  return { certificate: readNeeded(world, certificate), key: readNeeded(world, key) }
}

function readNeeded(world: World, path: string): string {
  const text = filesOf(world).read(path)
  if (text === undefined) throw new TwonodeError('E_FILE', `there is no file ${path}`)
  return text
}

async function listen(server: Server, address: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new TwonodeError('E_USAGE', `--listen: ${error.message}`, { cause: error })),
    )
    server.listen(port, address, resolve)
  })
}

function portOf(server: Server): number {
  const at = server.address()
  return typeof at === 'object' && at !== null ? at.port : 0
}
