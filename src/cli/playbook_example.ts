/** A whole playbook for the reference; a test compiles it. */
export const EXAMPLE_PLAYBOOK = `- name: A message of the day that knows its host
  hosts: all
  vars:
    owner: the platform team
    folders: [/etc/motd.d, /var/lib/motd]
  tasks:
    - name: The folders are there
      directory: { path: '{{ item }}', mode: '0755' }
      loop: '{{ vars.folders }}'

    - name: The kernel is asked for its release
      command: { argv: [uname, -r], read_only: true }
      register: kernel

    - name: The message is ours
      file:
        path: /etc/motd.d/twonode
        template: motd.hbs # beside this playbook; or src for a file, or content
        mode: '0644'
      notify: The message is shown
      register: message

    - name: Big hosts say so
      file: { path: /etc/motd.d/big, content: "{{ facts.memoryMb }} MB\\n", mode: '0644' }
      when: facts.memoryMb >= 16384 && !message.skipped

  handlers:
    - name: The message is shown
      command: { argv: [wall, The message of the day is new] }
`

/** What the example's template holds. */
export const EXAMPLE_TEMPLATE = `This is {{ host.name }} of {{ site.name }}; its peer is {{ peer.name }} at {{ peer.address }}.
It runs {{ kernel.stdout }}and is looked after by {{ vars.owner }}.
`

/** What later tasks find under a task's \`register\`. */
export const REGISTERED_FIELDS: Readonly<Record<string, string>> = {
  changed: 'True if the task changed something.',
  skipped: 'True if its `when` was false; the fields of its module are missing then.',
  failed: 'Always false for later tasks: a task that fails ends the run of its host.',
  code: '`command`, `assert`: the exit code.',
  stdout: '`command`, `assert`: what the command printed, of a long output the beginning.',
  stderr: '`command`, `assert`: the same of its errors.',
  rows: '`assert` with `sql`: the rows, each by column.',
  results: 'With `loop`: a list of the above, one an item, with `item`.',
}
