// Brings a machine that has Node, Go and Debian's package manager to where the project's commands run.
// Plain JavaScript on Node's own modules: there is no node_modules yet when it starts.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/** Wall-clock bound of one apt or npm run: a mirror that hangs must not hang us. */
const INSTALL_TIMEOUT_MS = 15 * 60_000

/**
 * Everything a command needs before it can start, said as it is done.
 * @param {{ command: string, debianPackages: readonly string[], needsRoot: boolean }} needs
 */
export async function prepare({ command, debianPackages, needsRoot }) {
  refuseOldNode()
  if (needsRoot) refuseWithoutRoot(command)
  await installDebianPackages(debianPackages, command)
  if (needsRoot) refuseWithoutGo()
  installNodePackages()
  run(process.execPath, [join(ROOT, 'start/build.mjs')], 'build')
}

/** The Debian packages that the lab needs, shared with the lab itself. */
export function labPackages() {
  return JSON.parse(readFileSync(join(ROOT, 'lab/debian_packages.json'), 'utf8')).packages
}

/** Runs a program in the foreground with our terminal; its exit code becomes ours. */
export function hand(program, args, env = {}) {
  const { status, signal } = spawnSync(program, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, TWONODE_ROOT: ROOT, ...env },
  })
  if (signal === 'SIGINT') return 130
  return status ?? 1
}

export function say(text) {
  process.stderr.write(`${text}\n`)
}

function refuse(text) {
  say(text)
  process.exit(2)
}

function refuseOldNode() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) refuse(`twonode needs Node 20 or newer; this is ${process.versions.node}`)
}

function refuseWithoutRoot(command) {
  if (process.platform !== 'linux') refuse('the lab needs Linux')
  if (process.getuid?.() !== 0)
    refuse(
      `the lab makes network namespaces and needs root: sudo env "PATH=$PATH" npm run ${command}`,
    )
}

function refuseWithoutGo() {
  const { status } = spawnSync('go', ['version'])
  if (status !== 0)
    refuse('the lab builds kine and the k3s stand-in: install Go 1.24 or newer and put it in PATH')
}

async function installDebianPackages(wanted, command) {
  const missing = missingPackages(wanted)
  if (missing.length === 0) return
  say(`Debian packages missing: ${missing.join(' ')}`)
  if (process.getuid?.() !== 0)
    refuse(
      `install them: sudo apt-get install -y ${missing.join(' ')}, or run: sudo env "PATH=$PATH" npm run ${command}`,
    )
  if (process.stdin.isTTY && process.stderr.isTTY) await askFirst()
  const apt = ['-qq', '-y', '-o', 'DPkg::Lock::Timeout=120']
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  run('apt-get', [...apt, 'update'], 'package lists', env)
  run('apt-get', [...apt, 'install', '--no-install-recommends', ...missing], 'Debian packages', env)
}

function missingPackages(wanted) {
  if (wanted.length === 0) return []
  const { stdout } = spawnSync(
    'dpkg-query',
    ['-W', '-f', '${Package} ${db:Status-Status}\n', ...wanted],
    { encoding: 'utf8' },
  )
  const installed = new Set(
    (stdout ?? '')
      .split('\n')
      .filter((l) => l.endsWith(' installed'))
      .map((l) => l.split(' ')[0]),
  )
  return wanted.filter((name) => !installed.has(name))
}

async function askFirst() {
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await prompt.question('Install them now? [Y/n] ')
  prompt.close()
  if (/^n/i.test(answer.trim())) refuse('nothing was installed')
}

/** npm ci once for each package-lock.json: the stamp holds its hash. */
function installNodePackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex')
  const stamp = join(ROOT, 'node_modules/.twonode-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], 'npm ci')
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, lock)
}

/** Quiet when it works, everything it said when it does not. */
function run(program, args, what, env = {}) {
  const began = Date.now()
  try {
    execFileSync(program, args, {
      cwd: ROOT,
      stdio: 'pipe',
      timeout: INSTALL_TIMEOUT_MS,
      env: { ...process.env, ...env },
    })
  } catch (error) {
    say(`${what} failed: ${program} ${args.join(' ')}`)
    say(`${error.stdout ?? ''}${error.stderr ?? error.message}`)
    process.exit(1)
  }
  const seconds = (Date.now() - began) / 1000
  if (seconds >= 1) say(`${what}: ${seconds.toFixed(1)} s`)
}
