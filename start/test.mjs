// The whole suite: checks, unit tests, then the lab tier on real hosts. The lab's artefacts build in
// the background while the rest runs.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { hand, labPackages, prepare, ROOT } from './prepare.mjs'

/** What the tests of ping, ssh, sudo and certificates talk to on this machine itself. */
const TEST_PACKAGES = ['git', 'iputils-ping', 'openssh-server', 'openssl', 'procps', 'sudo']

await prepare({
  command: 'test',
  debianPackages: [...labPackages(), ...TEST_PACKAGES],
  needsRoot: true,
})

const artefacts = spawn(process.execPath, [join(ROOT, 'dist/lab.mjs'), 'artefacts'], {
  cwd: ROOT,
  stdio: 'ignore',
  env: { ...process.env, TWONODE_ROOT: ROOT },
})
const checked = hand('npm', ['run', '--silent', 'check'])
const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
const tested =
  checked === 0 ? hand(process.execPath, [vitest, 'run', ...process.argv.slice(2)]) : checked
artefacts.kill()
process.exit(tested)
