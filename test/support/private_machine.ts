import { appendFileSync, chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What each account of the private machine may do by sudo. */
export const SUDOERS: Readonly<Record<string, string>> = {
  free: 'free ALL=(ALL) NOPASSWD: ALL',
  typist: 'typist ALL=(ALL) ALL',
  stranger: '',
  partial: 'partial ALL=(ALL) NOPASSWD: /usr/bin/true',
  terminal: 'Defaults:terminal requiretty\nterminal ALL=(ALL) NOPASSWD: ALL',
  slow: 'slow ALL=(ALL) NOPASSWD: ALL',
  stuck: 'stuck ALL=(ALL) NOPASSWD: ALL',
  chatty: 'chatty ALL=(ALL) NOPASSWD: ALL',
  mute: 'mute ALL=(ALL) NOPASSWD: ALL',
  bare: 'bare ALL=(ALL) NOPASSWD: ALL',
  old: 'old ALL=(ALL) NOPASSWD: ALL',
}

/** The password of every account; below is its crypt(3) form. */
export const PASSWORD = 'correct horse'
const SHADOW =
  '$6$twonode$ygZbMYyGus7YXPvfhHhKay/PFOfu/sVz0P5HpcBGM17lxc2Ge6.TEdW5uehTFCnARsE.LKTUn..NqfXH9/iI3.'

export interface PrivateMachine {
  /** argv to put before a program that shall live in it. */
  readonly wrapper: readonly string[]
  readonly sshdConfig: readonly string[]
  /** A file system of 64 KiB, and one that is read-only. */
  readonly full: string
  readonly readOnly: string
}

/**
 * A machine with accounts and sudoers of its own, for one process tree: a mount namespace in which a
 * copy lies over /etc. The real machine is not touched, and nothing is left when the tree ends.
 */
export function makePrivateMachine(directory: string): PrivateMachine {
  const etc = join(directory, 'etc')
  cpSync('/etc', etc, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  for (const [index, [name, rule]] of Object.entries(SUDOERS).entries()) {
    const shell = name === 'mute' ? '/usr/sbin/nologin' : '/bin/sh'
    const id = 64_100 + index
    appendFileSync(join(etc, 'passwd'), `${name}:x:${id}:${id}::/:${shell}\n`)
    appendFileSync(join(etc, 'group'), `${name}:x:${id}:\n`)
    appendFileSync(join(etc, 'shadow'), `${name}:${SHADOW}:19000:0:99999:7:::\n`)
    writeFileSync(join(etc, 'sudoers.d', name), `${rule}\n`, { mode: 0o440 })
  }
  const sudo = (name: string, script: string) => program(directory, name, ['sudo', script])
  const slow = sudo('slow-bin', 'sleep 9; exec /usr/bin/sudo "$@"')
  const stuck = sudo('stuck-bin', 'exec sleep 60')
  const chatty = sudo('chatty-bin', 'echo Welcome to h1; exec /usr/bin/sudo "$@"')
  const none = join(directory, 'no-sudo-bin')
  mkdirSync(none)
  symlinkSync('/usr/bin/env', join(none, 'env'))
  symlinkSync('/bin/sh', join(none, 'sh'))
  const oldNode = program(directory, 'old-node', ['node', 'echo v20.19.0'])
  const newNode = program(directory, 'new-node', [
    'node',
    `[ "$1" = --version ] && echo v22.1.0 || exec ${process.execPath} "$@"`,
  ])
  const secure = `Defaults:old secure_path="${oldNode}:/usr/bin:/bin"\n`
  appendFileSync(join(etc, 'sudoers.d', 'old'), secure)
  const full = join(directory, 'full')
  const readOnly = join(directory, 'read-only')
  mkdirSync(full)
  mkdirSync(readOnly)
  const script = [
    'set -e',
    `mount --bind ${etc} /etc`,
    `mount -t tmpfs -o size=64k,mode=755 tmpfs ${full}`,
    `mount -t tmpfs -o ro,mode=755 tmpfs ${readOnly}`,
    'exec "$@"',
  ].join('\n')
  return {
    wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'],
    sshdConfig: [
      ...withPath('slow', `${slow}:/usr/bin:/bin`),
      ...withPath('stuck', `${stuck}:/usr/bin:/bin`),
      ...withPath('chatty', `${chatty}:/usr/bin:/bin`),
      ...withPath('root', `${newNode}:/usr/bin:/bin`),
      ...withPath('bare', none),
    ],
    full,
    readOnly,
  }
}

function withPath(user: string, path: string): string[] {
  return [`Match User ${user}`, `SetEnv PATH=${path}`]
}

/** A folder with one program in it, to be put in front of PATH. */
function program(directory: string, folder: string, [name, script]: [string, string]): string {
  const path = join(directory, folder)
  mkdirSync(path)
  writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(path, name), 0o755)
  return path
}
