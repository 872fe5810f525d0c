import { spawn, type ChildProcess } from 'node:child_process'
import { BASE_ENVIRONMENT } from '../host/command.ts'

/**
 * systemd takes notices as datagrams, which Node.js can't send on Unix sockets. perl is on every Debian
 * (perl-base is essential): one child that lives as long as the agent and sends each line it reads.
 * A name that starts with @ is an abstract one.
 */
const SENDER = [
  'use Socket; $| = 1;',
  'my $name = $ARGV[0]; $name =~ s/^@/\\0/;',
  'socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";',
  'while (my $line = <STDIN>) { send($socket, $line, 0, pack_sockaddr_un($name)) }',
].join(' ')

/** Before a sender that ended is started again. @unit milliseconds */
const RESTART_MS = 1_000

const MOST_WAITING_BYTES = 4096

export interface NotifyOptions {
  /** NOTIFY_SOCKET; undefined: systemd did not start us, and nothing is sent. */
  readonly socket: string | undefined
  /** WATCHDOG_USEC: how long systemd waits for a sign of life. */
  readonly watchdogUsec: string | undefined
}

/** The agent's word to systemd. The unit needs NotifyAccess=all: the sender is a child. */
export interface Notifier {
  /** The peer API is up: what waits for the agent may start. */
  readonly ready: () => void
  /** Shown by `systemctl status`; sent when it is another one. */
  readonly status: (text: string) => void
  /** A sign of life; called each round, sent at a third of the watchdog's time. */
  readonly alive: () => void
  readonly stop: () => void
}

export function createNotifier({ socket, watchdogUsec }: NotifyOptions): Notifier {
  if (socket === undefined || socket === '')
    return { ready: () => {}, status: () => {}, alive: () => {}, stop: () => {} }
  const sender = new Sender(socket)
  const everyMs = Number(watchdogUsec ?? 0) / 1000 / 3
  let lastAt = -Infinity
  let shown = ''
  return {
    ready: () => sender.send('READY=1'),
    status: (text) => {
      if (text === shown) return
      shown = text
      sender.send(`STATUS=${text.replaceAll(/\s+/g, ' ').slice(0, 200)}`)
    },
    alive: () => {
      if (everyMs <= 0 || performance.now() - lastAt < everyMs) return
      lastAt = performance.now()
      sender.send('WATCHDOG=1')
    },
    stop: () => {
      sender.send('STOPPING=1')
      sender.end()
    },
  }
}

class Sender {
  readonly #socket: string
  #child: ChildProcess | undefined
  #startedAt = -Infinity
  #isReady = false

  constructor(socket: string) {
    this.#socket = socket
  }

  send(line: string): void {
    const child = this.#child ?? this.#start()
    if (line === 'READY=1') this.#isReady = true
    // A pipe that is full belongs to a sender that is stuck: systemd hears nothing, and is right.
    if (child?.stdin != null && child.stdin.writableLength < MOST_WAITING_BYTES)
      child.stdin.write(`${line}\n`)
  }

  end(): void {
    this.#child?.stdin?.end()
  }

  #start(): ChildProcess | undefined {
    if (performance.now() - this.#startedAt < RESTART_MS) return undefined
    this.#startedAt = performance.now()
    const child = spawn('/usr/bin/perl', ['-e', SENDER, this.#socket], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: BASE_ENVIRONMENT,
      cwd: '/',
    })
    this.#child = child
    const forget = () => {
      if (this.#child === child) this.#child = undefined
    }
    child.once('error', forget)
    child.once('exit', forget)
    child.stdin.on('error', forget)
    if (this.#isReady) child.stdin.write('READY=1\n')
    // Never what keeps the agent alive.
    child.unref()
    return child
  }
}
