// Keeps one lab host running: `node supervise.mjs MACHINE ROOT HOSTNAME`. systemd-nspawn ends with
// 133 when the host asked for a reboot, and with anything else when it was powered off or killed.
// Plain JavaScript on Node's own modules: nothing has to be built before it can start.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const REBOOT = 133
/** A host that reboots more often than this in its supervisor's life is in a boot loop. */
const MAX_REBOOTS = 200
/** A boot that ends sooner is no boot. @unit milliseconds */
const SHORTEST_LIFE_MS = 500

const [machine, root, hostname] = process.argv.slice(2)

// A cgroup of its own for each host: otherwise all would share nspawn's `payload` at the root, and
// one host's systemd would kill the other's services of the same name.
for (const hierarchy of ['', 'systemd', 'unified']) {
  const mount = join('/sys/fs/cgroup', hierarchy)
  if (!existsSync(join(mount, 'cgroup.procs'))) continue
  mkdirSync(join(mount, machine), { recursive: true })
  writeFileSync(join(mount, machine, 'cgroup.procs'), String(process.pid))
}

const argv = [
  '--quiet',
  '--register=no',
  '--keep-unit',
  '--boot',
  `--directory=${root}`,
  `--machine=${machine}`,
  `--hostname=${hostname}`,
  `--network-namespace-path=/run/netns/${machine}`,
  '--capability=all',
  '--resolv-conf=off',
  '--timezone=off',
  '--link-journal=no',
  '--kill-signal=SIGRTMIN+3',
]

let restarts = 0
function boot() {
  const since = Date.now()
  const child = spawn('systemd-nspawn', argv, {
    stdio: ['ignore', 'inherit', 'inherit'],
    // Only /proc/sys/net is the host's own; the rest would be the whole machine's.
    env: { ...process.env, SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network', SYSTEMD_COLORS: '0' },
  })
  child.on('error', (error) => {
    process.stderr.write(`${machine}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code) => {
    const again = code === REBOOT && Date.now() - since > SHORTEST_LIFE_MS
    if (!again || ++restarts > MAX_REBOOTS) process.exit(code ?? 1)
    process.stderr.write(`${machine}: reboot ${restarts}\n`)
    boot()
  })
}
boot()
