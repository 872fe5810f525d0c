import { stringify } from 'yaml'

/**
 * Thirty tasks that both tools know: a directory, a file's content, a template, a look at a path, a
 * unit that runs, a command with `creates`. Written once, said in each tool's words.
 */
interface Task {
  readonly ours: Readonly<Record<string, unknown>>
  readonly ansible: Readonly<Record<string, unknown>>
}

const BASE = '/srv/bench'

function five(make: (n: number) => Task): Task[] {
  return [1, 2, 3, 4, 5].map((n) => make(n))
}

const UNITS = [
  'ssh.service',
  'dbus.service',
  'systemd-journald.service',
  'systemd-logind.service',
  'dbus.socket',
]

const TASKS: readonly Task[] = [
  ...five((n) => ({
    ours: { directory: { path: `${BASE}${n}`, mode: '0755' } },
    ansible: { 'ansible.builtin.file': { path: `${BASE}${n}`, state: 'directory', mode: '0755' } },
  })),
  ...five((n) => ({
    ours: { file: { path: `${BASE}${n}/copy`, content: `copy ${n}\n`, mode: '0644' } },
    ansible: {
      'ansible.builtin.copy': { dest: `${BASE}${n}/copy`, content: `copy ${n}\n`, mode: '0644' },
    },
  })),
  ...five((n) => ({
    ours: { file: { path: `${BASE}${n}/template`, template: 'greeting', mode: '0644' } },
    ansible: {
      'ansible.builtin.template': {
        dest: `${BASE}${n}/template`,
        src: 'greeting.j2',
        mode: '0644',
      },
    },
  })),
  ...five((n) => ({
    ours: { wait_for: { what: 'the copy to be there', path: `${BASE}${n}/copy` } },
    ansible: { 'ansible.builtin.stat': { path: `${BASE}${n}/copy` } },
  })),
  ...UNITS.map((name) => ({
    ours: { systemd_unit: { name, state: 'started' } },
    ansible: { 'ansible.builtin.systemd': { name, state: 'started' } },
  })),
  ...five((n) => ({
    ours: {
      command: { argv: ['/usr/bin/touch', `${BASE}${n}/made`], creates: `${BASE}${n}/made` },
    },
    ansible: {
      'ansible.builtin.command': {
        cmd: `/usr/bin/touch ${BASE}${n}/made`,
        creates: `${BASE}${n}/made`,
      },
    },
  })),
]

export const TASK_COUNT = TASKS.length

export function ourPlaybook(): string {
  const tasks = TASKS.map(({ ours }, index) => ({ name: `task ${index + 1}`, ...ours }))
  return stringify([{ name: 'bench', hosts: 'all', vars: { greeting: 'hello' }, tasks }])
}

export function ansiblePlaybook(): string {
  const tasks = TASKS.map(({ ansible }, index) => ({ name: `task ${index + 1}`, ...ansible }))
  return stringify([
    { name: 'bench', hosts: 'all', gather_facts: false, vars: { greeting: 'hello' }, tasks },
  ])
}

export const OUR_TEMPLATE = '{{ vars.greeting }}, {{ host.name }}\n'
export const ANSIBLE_TEMPLATE = '{{ greeting }}, {{ inventory_hostname }}\n'
