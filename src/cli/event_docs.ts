import type { Event } from '../core/events.ts'

type EventNamed<Name extends Event['event']> = Extract<Event, { event: Name }>

interface EventDoc<E extends Event> {
  readonly summary: string
  /** Every field of the event: the compiler refuses a missing or a surplus one. */
  readonly fields: Readonly<Record<Exclude<keyof E, 'event'>, string>>
}

/** What docs/events.md says of each event. */
export const EVENT_DOCS: { readonly [Name in Event['event']]: EventDoc<EventNamed<Name>> } = {
  hello: {
    summary: 'A host is connected and its runner has started.',
    fields: {
      format: 'Version of the event stream.',
      host: 'The host.',
      pid: 'Process id of the runner on the host.',
      hostMeta: "Text of the host's hostMeta file; null when it has none.",
      siteSecrets:
        'sha256 fingerprints of the site CA and the k3s token; null when the host has none.',
      appliedBy: 'Version, person and time of the last converge that changed the host; null: none.',
      facts: 'The `facts` of playbooks.',
      postgresMajor:
        'Major version of PostgreSQL whose cluster starts with the host; absent: twonode has set none up.',
      clockMs: "The host's clock at that moment, milliseconds since 1970.",
    },
  },
  step: {
    summary: 'A task (or one item of its loop, or a handler) is done on a host.',
    fields: {
      host: 'The host.',
      play: 'Name of the play.',
      task: 'Name of the task.',
      module: 'Its module.',
      status:
        '`ok`, `changed`, `would-change` (check), `unknown` (check: it depends on something that is not there yet), `skipped`, `failed`.',
      handler:
        '`notified`: ran because a task changed something; `left-over`: of an interrupted run.',
      item: "The loop's item.",
      changes: 'What was (or would be) done: `summary`, and `diff` for files, secrets masked.',
      reason: 'Why it is unknown or was skipped.',
      notes: 'Facts worth attention that are no change.',
      result: 'What the task registers, `stdout` of a command among it; in `run` and `verify`.',
      register: 'The name it registers it under.',
      trouble: 'Why it failed: `code`, `message`, `hint`, `exitCode`, and maybe `detail`.',
      durationMs: 'Milliseconds it took.',
    },
  },
  progress: {
    summary: 'Something that takes over a second is under way.',
    fields: {
      host: 'The host.',
      task: 'The task.',
      message: 'What it does.',
      elapsedMs: 'Milliseconds since the task began.',
    },
  },
  note: {
    summary: 'A remark that changes nothing.',
    fields: {
      host: 'The host, if it is about one.',
      level: '`info` or `warning`.',
      message: 'The remark.',
    },
  },
  barrier: {
    summary: 'A host waits for its peer before a play.',
    fields: { host: 'The host that waits.', play: 'The play before which it waits.' },
  },
  trouble: {
    summary: 'A host, or without one the run, ends with an error.',
    fields: {
      host: 'The host, if it is about one.',
      trouble: '`code`, `message`, `hint`, `exitCode`, and maybe `place` and `detail`.',
    },
  },
  'host-summary': {
    summary: 'A host is done.',
    fields: {
      host: 'The host.',
      counts: 'Tasks by how they ended: `ok`, `changed`, `failed`, `unknown`, `skipped`.',
      exitCode: 'The exit code of this host alone.',
    },
  },
  summary: {
    summary: "A site's last line.",
    fields: {
      format: 'Version of the event stream.',
      site: 'The site.',
      check: 'True when nothing was to be changed.',
      durationMs: 'Milliseconds of the whole run.',
      exitCode: 'The worst of the hosts, in the order 5, 4, 3, 10.',
      hosts:
        'By host: `ok`, `changed`, `failed`, `unknown`, `skipped`, and `roundTrips`, how often the controller had to wait for the host.',
    },
  },
}
