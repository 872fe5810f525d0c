import { beforeAll, expect, test } from 'vitest'
import { spawn, execFileSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { convergedPair, inHost, theLab } from './pair.ts'
import { explain, finished, startTwonode, type Laptop } from '../../lab/twonode_process.ts'
import type { HostName } from '../../lab/names.ts'

/** Planted where people put secrets; none may be seen anywhere but in the file that asks for it. */
const PLANTED = {
  file: 'planted-file-5f1c9b7e2d',
  env: 'planted-env-a8d03e6b41',
  exec: 'planted-exec-c27f95e0aa',
  sudo: 'lab-password',
}

let from: Laptop

beforeAll(async () => {
  ;({ from } = await convergedPair())
})

test('no secret is in an argument list, the journal, the events or the logs', async () => {
  const folder = join(from.home, 'secrets')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'planted'), PLANTED.file)
  const playbook = join(folder, 'play.yaml')
  writeFileSync(playbook, PLAYBOOK)
  const traces = { h1: await trace('h1'), h2: await trace('h2') }
  const run = await finished(
    startTwonode(from, ['converge', playbook, '-i', from.inventory, '--json', '--diff'], {
      PLANTED_ENV: PLANTED.env,
    }),
    120_000,
  )
  expect(run.code, explain(run)).toBe(0)
  expect(await inHost('h1', ['cat', '/etc/twonode/planted'])).toContain(PLANTED.file)
  const secrets = [
    ...Object.values(PLANTED),
    await inHost('h1', ['cat', '/etc/twonode/pki/k3s-token']),
  ]
  const seen = {
    stdout: run.stdout,
    stderr: run.stderr,
    h1: await everythingWritten('h1', traces.h1),
    h2: await everythingWritten('h2', traces.h2),
  }
  for (const { strace } of Object.values(traces)) strace.kill()
  // The trace must have seen the runner's children, or it proves nothing.
  expect(seen.h1).toContain('/systemctl')
  for (const secret of secrets)
    for (const [where, text] of Object.entries(seen))
      expect(text.includes(secret), `${secret.slice(0, 12)}… in ${where}`).toBe(false)
})

const PLAYBOOK = `
- hosts: all
  vars:
    fromFile: !secret { file: planted }
    fromEnv: !secret { env: PLANTED_ENV }
    fromExec: !secret { exec: [printf, '%s', ${PLANTED.exec}] }
  tasks:
    - name: Planted
      file:
        path: /etc/twonode/planted
        mode: '0600'
        content: |
          {{ vars.fromFile }}
          {{ vars.fromEnv }}
          {{ vars.fromExec }}
    - name: Children are traced
      systemd_unit: { name: kine.service, state: started }
    - name: A command with a secret on its input
      command:
        argv: [/usr/bin/tee, /dev/null]
        stdin: '{{ vars.fromFile }}'
`

/** From now on every execve below the host's sshd is written down, from outside of the host. */
async function trace(host: HostName): Promise<Trace> {
  const { netns } = (await theLab()).hosts[host]
  const listed = execFileSync('ip', ['netns', 'pids', netns], { encoding: 'utf8' })
    .trim()
    .split('\n')
  const sshd = listed.find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sshd: /usr/sbin/sshd'),
  )
  expect(sshd, `${host} has no sshd`).toBeDefined()
  const file = join(from.home, `execve-${host}`)
  const strace = spawn(
    'strace',
    ['-f', '-s', '4096', '-e', 'trace=execve', '-o', file, '-p', String(sshd)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  await new Promise<void>((resolve) => strace.stderr.once('data', () => resolve()))
  return { strace, file }
}

interface Trace {
  readonly strace: ChildProcess
  readonly file: string
}

async function everythingWritten(host: HostName, { file }: Trace): Promise<string> {
  const written = await Promise.all([
    inHost(host, ['journalctl', '--no-pager', '-o', 'cat', '-n', '5000']),
    inHost(host, ['find', '/var/lib/twonode/journal', '-type', 'f', '-exec', 'cat', '{}', '+']),
  ])
  return [readFileSync(file, 'utf8'), ...written].join('\n')
}
